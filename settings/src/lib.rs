//! Configuration sections: YAML with positions, defaults, environment, secrets, and a reference.
