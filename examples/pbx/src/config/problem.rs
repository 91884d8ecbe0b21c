//! Mistakes in a configuration, told so that the person can mend them.

use std::{fmt, net::SocketAddr, ops::Range, path::PathBuf};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says things that are not understood.
    #[error("{}", join(problems))]
    Invalid {
        /// Each mistake, in the order of the file.
        problems: Vec<Problem>,
    },
    /// Files of Asterisk that cannot be used.
    #[error("{}: {} of Asterisk's files:\n{}", folder.display(), count(*errors), report.trim_end())]
    Asterisk {
        /// Their folder.
        folder: PathBuf,
        /// How many errors there are.
        errors: usize,
        /// Each problem, warnings among them.
        report: String,
    },
    /// The demo secret on an address that others can reach.
    #[error(
        "refusing to listen on {address}: {accounts} still have the demo secret, which everybody knows; \
         give them secrets of their own, or listen on 127.0.0.1"
    )]
    DemoSecret {
        /// The address.
        address: SocketAddr,
        /// The accounts.
        accounts: String,
    },
    /// The page on an address that others can reach.
    #[error(
        "refusing to show the page on {address}: it has no password and can hang up calls; \
         listen on 127.0.0.1, or say `exposed = true` under [http]"
    )]
    ExposedPage {
        /// The address.
        address: SocketAddr,
    },
}

fn count(errors: usize) -> String {
    if errors == 1 { "an error".to_owned() } else { format!("{errors} errors") }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
    /// The line itself. Never one with a secret.
    pub excerpt: Option<String>,
}

impl Problem {
    pub(super) fn at(file: &str, text: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        let start = span.map_or(0, |span| span.start).min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let excerpt = text.lines().nth(line - 1).map(str::to_owned);
        let excerpt = excerpt.filter(|line| !line.contains("secret") && !line.trim().is_empty());
        Self { file: file.to_owned(), line, column, message: message.into(), excerpt }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if let Some(excerpt) = &self.excerpt {
            let pad = " ".repeat(self.column.saturating_sub(1));
            write!(f, "\n  |\n  | {excerpt}\n  | {pad}^")?;
        }
        Ok(())
    }
}
