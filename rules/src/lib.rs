//! Scraping, the series store, PromQL, and rule groups that become alerts.
