//! The dialplan of an installation that has none of its own: numbers that play something, and the accounts.

use std::{fmt::Write as _, io, sync::Arc};

use super::{Application, Config, DEFAULT_CONTEXT, DialplanSource};
use crate::{asterisk::file, dialplan::Dialplan};

/// What its lines are said to be in.
const NAME: &str = "(generated)";

impl Config {
    /// The text of the dialplan that `[extensions]` and the accounts mean: one context for all.
    #[must_use]
    pub fn generated_dialplan(&self) -> String {
        let mut text = format!("[{DEFAULT_CONTEXT}]\n");
        for (number, application) in &self.extensions {
            let application = match application {
                Application::Echo => "Echo()",
                Application::Milliwatt => "Milliwatt()",
            };
            let _ = writeln!(text, "exten => {number},1,Answer()\n same => n,{application}");
        }
        let time = self.calls.ring_time;
        let time = if time.subsec_millis() == 0 { time.as_secs().to_string() } else { time.as_secs_f64().to_string() };
        for account in &self.accounts {
            let name = &account.name;
            if !self.extensions.contains_key(name) {
                let _ = writeln!(text, "exten => {name},1,Dial(SIP/{name},{time})");
            }
        }
        text
    }

    /// Makes the dialplan anew of `[extensions]` and the accounts, after they or the ring time changed. Does nothing when
    /// the configuration has a dialplan of its own.
    pub fn generate_dialplan(&mut self) {
        if self.dialplan_source != DialplanSource::Generated {
            return;
        }
        let text = self.generated_dialplan();
        let mut problems = Vec::new();
        let file = file::read(NAME, &mut |_: &str| -> io::Result<String> { Ok(text.clone()) }, &mut problems);
        self.dialplan = Arc::new(Dialplan::parse(&file.unwrap_or_default(), &mut problems));
        for problem in problems {
            tracing::error!(%problem, "in the generated dialplan");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_a_number_for_each_account_and_each_application() {
        let text = Config::demo().unwrap().generated_dialplan();
        assert_eq!(
            text,
            "[default]\nexten => 600,1,Answer()\n same => n,Echo()\nexten => 601,1,Answer()\n same => n,Milliwatt()\n\
             exten => 1001,1,Dial(SIP/1001,30)\nexten => 1002,1,Dial(SIP/1002,30)\nexten => 1003,1,Dial(SIP/1003,30)\n\
             exten => 1004,1,Dial(SIP/1004,30)\n"
        );
    }
}
