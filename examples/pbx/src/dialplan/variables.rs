//! A channel's variables, with those of the subroutines that it is in.

use std::collections::BTreeMap;

use super::arguments::shorten;

/// The longest value, as in Asterisk.
pub(crate) const MAX_VALUE: usize = 4_095;
/// The longest name.
const MAX_NAME: usize = 80;
/// How many variables one channel has.
const MAX_VARIABLES: usize = 1_000;
/// How deep subroutines may call each other.
const MAX_FRAMES: usize = 100;

/// A place in the dialplan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) context: String,
    pub(crate) extension: String,
    pub(crate) priority: u32,
}

#[derive(Debug, Clone)]
struct Variable {
    value: String,
    /// 1 for `_NAME`: channels made by this one have it; 2 for `__NAME`: and those made by them.
    inherit: u8,
}

#[derive(Debug, Clone)]
struct Frame {
    back: Position,
    local: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    base: BTreeMap<String, Variable>,
    frames: Vec<Frame>,
    /// Variables of all frames.
    locals: usize,
}

impl Variables {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let local = self.frames.iter().rev().find_map(|frame| frame.local.get(name));
        local.or_else(|| self.base.get(name).map(|variable| &variable.value)).map(String::as_str)
    }

    /// Sets a variable where it is; a new one on the channel. An empty value removes it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let bare = name.strip_prefix('_').unwrap_or(name);
        let (bare, inherit) = match bare.strip_prefix('_') {
            Some(bare) => (bare, 2),
            None => (bare, u8::from(bare.len() < name.len())),
        };
        let name = shorten(bare, MAX_NAME);
        let value = shorten(value, MAX_VALUE);
        if let Some(local) = self.frames.iter_mut().rev().find_map(|frame| frame.local.get_mut(name)) {
            value.clone_into(local);
        } else if value.is_empty() {
            self.base.remove(name);
        } else if self.base.len() + self.locals < MAX_VARIABLES || self.base.contains_key(name) {
            self.base.insert(name.to_owned(), Variable { value: value.to_owned(), inherit });
        } else {
            tracing::warn!(name, "the channel has too many variables: one more is not set");
        }
    }

    /// What channels made by this one get, with the underscores that they are to be set with there.
    pub(crate) fn inherited(&self) -> Vec<(String, String)> {
        let inherited = self.base.iter().filter(|(_, variable)| variable.inherit > 0);
        let prefix = |variable: &Variable| if variable.inherit > 1 { "__" } else { "" };
        inherited.map(|(name, variable)| (format!("{}{name}", prefix(variable)), variable.value.clone())).collect()
    }

    /// Enters a subroutine. False when that is too deep.
    pub(crate) fn enter(&mut self, back: Position, arguments: &[String]) -> bool {
        if self.frames.len() >= MAX_FRAMES || self.locals + self.base.len() + arguments.len() + 2 > MAX_VARIABLES {
            return false;
        }
        self.locals += arguments.len() + 1;
        let mut local = BTreeMap::from([("ARGC".to_owned(), arguments.len().to_string())]);
        for (place, argument) in arguments.iter().enumerate() {
            local.insert(format!("ARG{}", place + 1), shorten(argument, MAX_VALUE).to_owned());
        }
        self.frames.push(Frame { back, local });
        true
    }

    /// Leaves a subroutine.
    pub(crate) fn leave(&mut self) -> Option<Position> {
        let frame = self.frames.pop()?;
        self.locals = self.locals.saturating_sub(frame.local.len());
        Some(frame.back)
    }

    /// `${LOCAL(name)}`.
    pub(crate) fn local(&self, name: &str) -> Option<&str> {
        self.frames.last()?.local.get(name).map(String::as_str)
    }

    /// `Set(LOCAL(name)=value)`. False outside of a subroutine.
    pub(crate) fn set_local(&mut self, name: &str, value: &str) -> bool {
        let full = self.locals + self.base.len() >= MAX_VARIABLES;
        let Some(frame) = self.frames.last_mut() else { return false };
        let name = shorten(name, MAX_NAME);
        if !full || frame.local.contains_key(name) {
            let before = frame.local.insert(name.to_owned(), shorten(value, MAX_VALUE).to_owned());
            self.locals += usize::from(before.is_none());
        }
        true
    }

    /// Whether it is in a subroutine.
    pub(crate) fn is_in_subroutine(&self) -> bool {
        !self.frames.is_empty()
    }
}
