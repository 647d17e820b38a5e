//! PromQL, evaluated over the series store.
