//! Go text/template with the functions that Prometheus and Alertmanager give their users.
