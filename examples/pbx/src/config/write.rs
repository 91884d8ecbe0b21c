//! The configuration as our file says it.

use std::{
    fmt::{self, Display, Write as _},
    time::Duration,
};

use iax2::{Encryption, Negotiation, TokenPolicy, element::AuthMethods};

use super::{
    Account, Acl, Address, Application, Codec, Config, DEFAULT_CONTEXT, DialplanSource, IaxPeer, Qualify,
    SipRegistration,
};

impl Config {
    /// Whether [`Self::to_toml`] shows passwords.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        let of_account = |account: &Account| account.has_password() || account.remote_secret.is_some();
        self.accounts.iter().any(of_account)
            || self.registrations.iter().any(|registration| registration.secret.is_some())
            || self.iax.peers.iter().any(|peer| peer.secret.is_some())
            || self.iax.registrations.iter().any(|registration| registration.secret.is_some())
    }

    /// The text of a file that means the same. It holds the secrets.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = Writer { text: String::new() };
        if let DialplanSource::File(_) = &self.dialplan_source {
            out.line("# The dialplan, and what it includes, stays in its own file; a path that is not absolute counts from this file.");
        }
        out.top(self);
        out.sip(self);
        out.accounts(self);
        out.iax(self);
        out.rest(self);
        out.text
    }
}

/// A string as TOML writes it.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self, text: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{text}");
    }

    fn table(&mut self, name: &str) {
        self.line(format_args!("\n{name}"));
    }

    fn string(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {}", Quoted(&value.to_string())));
    }

    fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.string(key, value);
        }
    }

    fn number(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    /// A switch that is off unless it is said.
    fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.number(key, true);
        }
    }

    fn list<T: Display>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<_> = values.into_iter().map(|value| Quoted(&value.to_string()).to_string()).collect();
        self.number(key, format_args!("[{}]", values.join(", ")));
    }

    fn time(&mut self, key: &str, time: Duration) {
        let text =
            if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) };
        self.string(key, text);
    }

    fn top(&mut self, config: &Config) {
        self.maybe("name", config.name.as_ref());
        match &config.dialplan_source {
            DialplanSource::Generated => {}
            DialplanSource::File(path) => self.string("dialplan", path.display()),
            DialplanSource::Text(text) => self.string("dialplan", text),
        }
        if !config.address_map.is_empty() {
            self.table("[address_map]");
            for (from, to) in &config.address_map {
                self.line(format_args!("{} = {}", Quoted(&from.to_string()), Quoted(&to.to_string())));
            }
        }
    }

    fn sip(&mut self, config: &Config) {
        let sip = &config.sip;
        self.table("[sip]");
        self.list("udp", &sip.udp);
        self.list("tcp", &sip.tcp);
        self.maybe("advertised", sip.advertised.as_ref());
        self.string("realm", &sip.realm);
        self.list("trusted", &sip.trusted);
        self.list("balancers", &sip.balancers);
        self.list("digest", sip.algorithms.iter().map(|algorithm| algorithm.as_str()));
        self.time("nonce_time", sip.nonce_time);
        for registration in &config.registrations {
            self.registration(registration);
        }
    }

    fn registration(&mut self, registration: &SipRegistration) {
        self.table("[[sip.registration]]");
        self.string("user", &registration.user);
        self.maybe("auth_user", registration.auth_user.as_ref());
        self.maybe("domain", registration.domain.as_ref());
        self.maybe("secret", registration.secret.as_ref().map(|secret| secret.expose()));
        self.string("host", &registration.host);
        self.maybe("transport", registration.transport.map(|transport| transport.token().to_lowercase()));
        self.string("extension", &registration.extension);
        self.time("expires", registration.expires);
        self.time("retry", registration.retry);
    }

    fn accounts(&mut self, config: &Config) {
        for account in &config.accounts {
            self.account(account);
        }
    }

    fn account(&mut self, account: &Account) {
        self.table("[[account]]");
        self.string("name", &account.name);
        self.maybe("secret", account.secret.as_ref().map(|secret| secret.expose()));
        self.maybe("md5_secret", account.md5_secret.as_ref().map(|secret| secret.expose()));
        self.maybe("user", account.user.as_ref());
        self.maybe("caller_id", account.caller_id.as_ref());
        self.maybe("caller_number", account.caller_number.as_ref());
        if account.context != DEFAULT_CONTEXT {
            self.string("context", &account.context);
        }
        self.place(&account.address);
        self.maybe("transport", account.transport.map(|transport| transport.token().to_lowercase()));
        self.codecs(account.codecs.as_deref());
        if account.dtmf != super::DtmfMode::default() {
            self.string("dtmf", account.dtmf.name());
        }
        if let Some(qualify) = account.qualify {
            self.time("qualify", qualify.limit);
            if qualify.every != Qualify::default().every {
                self.time("qualify_every", qualify.every);
            }
        }
        self.flag("trust_address", account.trust_address);
        if !account.trusted.is_empty() {
            self.list("trusted", &account.trusted);
        }
        self.acl(&account.acl);
        self.maybe("remote_extension", account.remote_extension.as_ref());
        self.maybe("remote_user", account.remote_user.as_ref());
        self.maybe("remote_secret", account.remote_secret.as_ref().map(|secret| secret.expose()));
        self.maybe("from_user", account.from_user.as_ref());
        self.maybe("from_domain", account.from_domain.as_ref());
        if let Some(max) = account.max_calls {
            self.number("max_calls", max);
        }
        if let Some(max) = account.max_contacts {
            self.number("max_contacts", max);
        }
        self.flag("remove_existing", account.remove_existing);
    }

    fn place(&mut self, address: &Address) {
        match address {
            Address::Dynamic => {}
            Address::Nowhere => self.string("host", "none"),
            Address::Fixed(host) => self.string("host", host),
        }
    }

    fn codecs(&mut self, codecs: Option<&[Codec]>) {
        if let Some(codecs) = codecs {
            self.list("codecs", codecs);
        }
    }

    fn acl(&mut self, acl: &Acl) {
        if !acl.is_empty() {
            let word = |permit: bool| if permit { "permit" } else { "deny" };
            self.list("acl", acl.rules.iter().map(|rule| format!("{} {}", word(rule.permit), rule.network)));
        }
    }

    fn iax(&mut self, config: &Config) {
        let iax = &config.iax;
        if *iax == super::Iax::default() {
            return;
        }
        self.table("[iax]");
        self.list("listen", &iax.listen);
        self.time("trunk_interval", iax.trunk_interval);
        self.flag("trunk_timestamps", iax.trunk_timestamps);
        self.number("trunk_mtu", iax.trunk_mtu);
        self.time("min_expires", iax.min_expires);
        self.time("max_expires", iax.max_expires);
        self.string("token", token(iax.token));
        if !iax.token_exempt.is_empty() {
            self.list("token_exempt", &iax.token_exempt);
        }
        self.number("max_calls", iax.max_calls);
        self.number("max_calls_per_address", iax.max_calls_per_address);
        for registration in &iax.registrations {
            self.table("[[iax.registration]]");
            self.string("user", &registration.user);
            self.maybe("secret", registration.secret.as_ref().map(|secret| secret.expose()));
            self.string("host", &registration.host);
            self.time("refresh", registration.refresh);
        }
        for peer in &iax.peers {
            self.peer(peer);
        }
    }

    fn peer(&mut self, peer: &IaxPeer) {
        self.table("[[iax.peer]]");
        self.string("name", &peer.name);
        if !peer.may_call {
            self.number("may_call", false);
        }
        self.place(&peer.address);
        self.maybe("secret", peer.secret.as_ref().map(|secret| secret.expose()));
        self.maybe("username", peer.username.as_ref());
        let methods = [(AuthMethods::MD5, "md5"), (AuthMethods::PLAINTEXT, "plaintext")];
        if peer.methods != AuthMethods::MD5 {
            self.list(
                "auth",
                methods.iter().filter(|(method, _)| peer.methods.contains(*method)).map(|(_, name)| name),
            );
        }
        self.list("contexts", &peer.contexts);
        self.maybe("peer_context", peer.peer_context.as_ref());
        self.maybe("caller_id", peer.caller_id.as_ref());
        self.maybe("caller_number", peer.caller_number.as_ref());
        self.codecs(peer.codecs.as_deref());
        match peer.negotiation {
            Negotiation::Host => {}
            Negotiation::Caller => self.string("negotiation", "caller"),
            Negotiation::Request => self.string("negotiation", "request"),
            Negotiation::RequestOnly => self.string("negotiation", "request_only"),
        }
        self.maybe("token", peer.token.map(token));
        match peer.encryption {
            Encryption::Off => {}
            Encryption::Offered => self.string("encryption", "offered"),
            Encryption::Required => self.string("encryption", "required"),
        }
        self.flag("trunk", peer.trunk);
        if let Some(qualify) = peer.qualify {
            self.time("qualify", qualify.limit);
            self.time("qualify_good", qualify.good);
            self.time("qualify_bad", qualify.bad);
            self.flag("qualify_smoothing", qualify.smoothing);
        }
        self.flag("may_transfer", peer.may_transfer);
        self.acl(&peer.acl);
        if let Some(max) = peer.max_calls {
            self.number("max_calls", max);
        }
    }

    fn rest(&mut self, config: &Config) {
        if config.dialplan_source == DialplanSource::Generated {
            self.table("[extensions]");
            for (number, application) in &config.extensions {
                let application = match application {
                    Application::Echo => "echo",
                    Application::Milliwatt => "milliwatt",
                };
                self.line(format_args!("{} = {}", Quoted(number), Quoted(application)));
            }
        }
        self.table("[registration]");
        self.time("min_expires", config.registration.min_expires);
        self.time("max_expires", config.registration.max_expires);
        self.number("per_account", config.registration.per_account);
        self.table("[calls]");
        self.time("ring_time", config.calls.ring_time);
        self.time("drain_time", config.calls.drain_time);
        self.time("max_time", config.calls.max_time);
        self.time("media_timeout", config.calls.media_timeout.unwrap_or_default());
        self.table("[rtp]");
        self.string("ports", format_args!("{}-{}", config.rtp.ports.start(), config.rtp.ports.end()));
        self.maybe("address", config.rtp.address);
        self.maybe("advertised", config.rtp.advertised);
        self.table("[limits]");
        self.number("calls", config.limits.calls);
        self.number("calls_per_account", config.limits.calls_per_account);
        self.number("transactions", config.limits.transactions);
        self.number("connections", config.limits.connections);
        self.number("connections_per_address", config.limits.connections_per_address);
        self.table("[http]");
        self.string("listen", config.http.listen.map(|address| address.to_string()).unwrap_or_default());
        self.number("exposed", config.http.exposed);
        self.table("[cdr]");
        // Without a path the records go to this person's own state folder, wherever the file is read.
        match &config.cdr.path {
            None => self.string("path", ""),
            Some(path) if *path == super::default_cdr_path() => {}
            Some(path) => self.string("path", path.display()),
        }
    }
}

fn token(policy: TokenPolicy) -> &'static str {
    match policy {
        TokenPolicy::Required => "required",
        TokenPolicy::NotRequired => "optional",
        TokenPolicy::Auto => "auto",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_of_the_demo_means_the_demo() {
        let demo = Config::demo().unwrap();
        let again = Config::parse(Path::new("again.toml"), &demo.to_toml()).unwrap();
        assert_eq!(again, demo);
    }

    proptest! {
        #[test]
        fn any_text_is_written_so_that_it_is_read_again(text: String) {
            let line = format!("text = {}", Quoted(&text));
            let table: toml::Table = toml::from_str(&line).unwrap();
            prop_assert_eq!(table.get("text").and_then(toml::Value::as_str), Some(text.as_str()));
        }
    }
}
