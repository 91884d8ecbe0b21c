//! What is printed at the start: what to type into a softphone, and where to look.

use std::fmt::Write as _;

use sip_transaction::Transport;

use crate::{
    config::{Config, DEMO_SECRET},
    server::Server,
};

/// The greeting.
#[must_use]
pub fn text(config: &Config, server: &Server) -> String {
    let mut text = String::new();
    let mut line = |label: &str, rest: &str| {
        let _ = writeln!(text, "  {label:<10}{rest}");
    };
    line("", "");
    line("Server", &servers(&server.sip, config.sip.advertised.as_deref()));
    let width = config.accounts.iter().map(|account| account.name.len()).max().unwrap_or(0);
    for (place, account) in config.accounts.iter().take(8).enumerate() {
        let label = if place == 0 { "Phones" } else { "" };
        let secret = account.secret.as_ref().map_or("", |secret| secret.expose());
        let secret =
            if secret == DEMO_SECRET { format!("password {secret}") } else { "password as configured".to_owned() };
        let name = account.caller_id.as_deref().unwrap_or_default();
        line(label, format!("user {:<width$}   {secret}   {name}", account.name).trim_end());
    }
    if config.accounts.len() > 8 {
        line("", &format!("and {} more", config.accounts.len() - 8));
    }
    for (place, (number, application)) in config.extensions.iter().enumerate() {
        line(if place == 0 { "Call" } else { "" }, &format!("{number:<width$}   {}", application.teaches()));
    }
    if config.accounts.len() > 1 {
        line("", &format!("{:<width$}   any user above rings, once registered", "…"));
    }
    match server.http {
        Some(address) => line("Watch", &format!("http://{address}/")),
        None => line("Watch", "no page is configured"),
    }
    if let Some(path) = &config.cdr.path {
        line("Records", &path.display().to_string());
    }
    line("Stop", "Ctrl-C takes no more calls and lets running ones end; twice ends at once");
    text.push('\n');
    text.replacen("            \n", "\nTandem PBX\n\n", 1)
}

fn servers(sip: &[(Transport, std::net::SocketAddr)], advertised: Option<&str>) -> String {
    let mut places: Vec<(String, Vec<&str>)> = Vec::new();
    for (transport, address) in sip {
        let place = match advertised {
            Some(host) => format!("{host}:{}", address.port()),
            None => address.to_string(),
        };
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, transports)) => transports.push(transport.token()),
            None => places.push((place, vec![transport.token()])),
        }
    }
    let told = places.iter().map(|(place, transports)| format!("{place} ({})", transports.join(" or ")));
    told.collect::<Vec<_>>().join(", ")
}
