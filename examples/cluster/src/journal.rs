//! What happened, found by comparing one picture with the next.

use std::collections::VecDeque;

use crate::{
    phone::Phase,
    picture::{Entry, Picture},
};

/// How many entries are kept.
const KEPT: usize = 60;

/// What happened so far, the newest first.
#[derive(Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
}

impl Journal {
    /// Everything, the newest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    /// Writes down something.
    pub fn note(&mut self, at: u64, tone: &'static str, text: String) {
        tracing::debug!("{text}");
        self.entries.push_front(Entry { at, tone, text });
        self.entries.truncate(KEPT);
    }

    /// Writes down what is new.
    pub fn compare(&mut self, old: &Picture, new: &Picture) {
        let at = new.at;
        for (before, now) in old.nodes.iter().zip(&new.nodes) {
            if before.running != now.running {
                let (tone, word) = if now.running { ("good", "started") } else { ("bad", "stopped") };
                self.note(at, tone, format!("{} {word}", now.name));
            }
            for peer in &now.peers {
                let known = before.peers.iter().find(|it| it.name == peer.name);
                if known.is_some_and(|known| known.reachable) != peer.reachable {
                    let (tone, word) = if peer.reachable { ("good", "reaches") } else { ("bad", "no longer reaches") };
                    self.note(at, tone, format!("{} {word} {} over the trunk", now.name, peer.name));
                }
            }
        }
        for (before, now) in old.balancer.snapshot.servers.iter().zip(&new.balancer.snapshot.servers) {
            if before.up.is_some() && before.up != now.up {
                let (tone, word) = if now.up == Some(true) { ("good", "up") } else { ("bad", "down") };
                self.note(at, tone, format!("The balancer finds {} {word}", now.name.replace('_', " ")));
            }
        }
        self.compare_phones(old, new);
    }

    fn compare_phones(&mut self, old: &Picture, new: &Picture) {
        let at = new.at;
        let name = |key: &str| new.nodes.iter().find(|node| node.key == key).map_or("", |node| node.name);
        for (before, now) in old.phones.iter().zip(&new.phones) {
            let account = &now.state.account;
            if before.node != now.node {
                match now.node {
                    Some(node) => self.note(at, "plain", format!("{account} registered with {}", name(node))),
                    None => self.note(at, "bad", format!("{account} lost its server")),
                }
            }
            let (was, is) = (&before.state.call, &now.state.call);
            let phase = |call: &Option<crate::phone::Call>| call.as_ref().map(|call| call.phase);
            let Some(call) = is.as_ref().filter(|call| call.outgoing) else { continue };
            if phase(was) == phase(is) {
                continue;
            }
            match call.phase {
                Phase::Calling => self.note(at, "plain", format!("{account} calls {}", call.with)),
                Phase::Ringing => {}
                Phase::Up => {
                    let other = new.phones.iter().find(|phone| phone.state.account == call.with);
                    let across = other.is_some_and(|other| other.node != now.node);
                    let way = if across { "across the trunk" } else { "within one PBX" };
                    self.note(at, "good", format!("{account} and {} talk, {way}", call.with));
                }
            }
        }
        for guest in new.guests.iter().filter(|guest| !old.guests.contains(guest)) {
            let program = guest.program.as_deref().unwrap_or("a phone");
            let word = if guest.reachable { "registered" } else { "can no longer be reached" };
            let (account, node) = (&guest.account, name(guest.node));
            self.note(at, "plain", format!("{account} ({program}) {word} with {node}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{phone, picture};

    fn picture(node: Option<&'static str>, running: bool) -> Picture {
        Picture {
            nodes: vec![picture::Node { key: "pbx", name: "Asterisk PBX", running, ..picture::Node::default() }],
            phones: vec![picture::Phone {
                state: phone::State { account: "1001".into(), ..phone::State::default() },
                node,
            }],
            ..Picture::default()
        }
    }

    #[test]
    fn what_changes_from_one_picture_to_the_next_is_told_once() {
        let mut journal = Journal::default();
        let (before, after) = (picture(None, false), picture(Some("pbx"), true));
        journal.compare(&before, &after);
        journal.compare(&after, &after);
        let told: Vec<_> = journal.entries().into_iter().map(|entry| entry.text).collect();
        assert_eq!(told, ["1001 registered with Asterisk PBX", "Asterisk PBX started"]);
        journal.compare(&after, &before);
        assert_eq!(journal.entries()[0].text, "1001 lost its server");
    }

    #[test]
    fn a_call_across_is_told_as_such_when_it_is_answered() {
        let mut journal = Journal::default();
        let quiet = Picture {
            phones: [("1001", "pbx"), ("1002", "zone")]
                .map(|(account, node)| picture::Phone {
                    state: phone::State { account: account.into(), ..phone::State::default() },
                    node: Some(node),
                })
                .into(),
            ..Picture::default()
        };
        let mut talking = quiet.clone();
        talking.phones[0].state.call =
            Some(phone::Call { with: "1002".into(), outgoing: true, phase: Phase::Up, ..phone::Call::default() });
        journal.compare(&quiet, &talking);
        assert_eq!(journal.entries()[0].text, "1001 and 1002 talk, across the trunk");
    }

    #[test]
    fn old_entries_make_room_for_new_ones() {
        let mut journal = Journal::default();
        for number in 0..2 * KEPT as u64 {
            journal.note(number, "plain", number.to_string());
        }
        assert_eq!(journal.entries().len(), KEPT);
        assert_eq!(journal.entries()[0].text, (2 * KEPT - 1).to_string());
    }
}
