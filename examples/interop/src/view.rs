//! What a PBX tells of itself over HTTP.

use crate::http;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The page, the metrics and the console of a PBX.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Where it takes HTTP.
    pub http: SocketAddr,
}

impl View {
    /// The whole picture that it gives of itself.
    ///
    /// # Panics
    ///
    /// When it gives none.
    pub fn status(&self) -> Value {
        let answer = http::get(self.http, "/status").expect("/status");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// All metrics by name and labels as they are written.
    ///
    /// # Panics
    ///
    /// When it gives none.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let answer = http::get(self.http, "/metrics").expect("/metrics");
        assert_eq!(answer.status, 200);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?)))
            .collect()
    }

    /// One metric; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics().get(name).copied().unwrap_or(0.0)
    }

    /// The sum of a metric over all its labels.
    pub fn sum(&self, name: &str) -> f64 {
        let labelled = format!("{name}{{");
        self.metrics()
            .iter()
            .filter(|(key, _)| *key == name || key.starts_with(&labelled))
            .map(|(_, value)| value)
            .sum()
    }

    /// Waits until somebody has so many phones registered.
    pub fn wait_for_registration(&self, user: &str, count: usize) {
        until(&format!("{count} registrations of {user}"), PATIENCE, || {
            let status = self.status();
            let accounts = status["accounts"].as_array().cloned().unwrap_or_default();
            let account = accounts.iter().find(|account| account["name"] == user)?;
            (account["bindings"].as_array().map_or(0, Vec::len) == count).then_some(())
        });
    }

    /// Waits until every table that calls fill is empty, as `/metrics` tells it.
    ///
    /// # Panics
    ///
    /// When one is not in 70 s: the longest timers of RFC 3261 are 32 s, and may follow each other.
    pub fn wait_for_empty_tables(&self) {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis());
        let status = self.status();
        let tables = status["tables"].as_array().cloned().unwrap_or_default();
        let names: Vec<String> = tables
            .iter()
            .filter(|table| table["per_call"] == true)
            .filter_map(|table| Some(format!("pbx_table_entries{{table=\"{}\"}}", table["name"].as_str()?)))
            .collect();
        assert!(!names.is_empty(), "no table is told to be filled by calls: {status}");
        let mut left = BTreeMap::new();
        let end = std::time::Instant::now() + Duration::from_secs(70);
        while std::time::Instant::now() < end {
            // The PBX takes its picture now and then: an older one tells nothing.
            let taken = self.status()["at"].as_u64().unwrap_or(0);
            let metrics = self.metrics();
            for name in &names {
                assert!(metrics.contains_key(name), "{name} is not among {:?}", metrics.keys());
            }
            left = metrics.into_iter().filter(|(name, value)| names.contains(name) && *value != 0.0).collect();
            if left.is_empty() && u128::from(taken) > asked {
                return;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("tables that are not empty after a minute: {left:?}");
    }

    /// Runs a console command, as `pbx -x` does.
    ///
    /// # Panics
    ///
    /// When the console does not answer.
    pub fn console(&self, line: &str) -> String {
        let answer = http::post(self.http, "/console", line).expect("/console");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}
