//! The shared captures of real Asterisk, replayed through an endpoint in the place of either side: it must take every
//! frame of the other side, and send what the real one sent: the same types with the same elements in the same order.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use bytes::Bytes;
use common::Datagram;
use iax2::element::{AuthMethods, Cause, DialplanStatus, id};
use iax2::frame::{Command, Frame, Full, FullHeader, Kind};
use iax2::*;
use md5::{Digest, Md5};

const SECRET: &str = "1234";
const TEST_KEY: &str = include_str!("data/test-key.pem");

fn md5_of(challenge: &[u8]) -> [u8; 16] {
    Md5::new().chain_update(challenge).chain_update(SECRET).finalize().into()
}

fn hex_of(digest: [u8; 16]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(key: [u8; 16], frame: &[u8], clear: usize) -> Option<Vec<u8>> {
    let aes = Aes128::new(&key.into());
    let mut plain = Vec::new();
    let mut previous = [0u8; 16];
    for chunk in frame[clear..].chunks(16) {
        let sealed: [u8; 16] = chunk.try_into().ok()?;
        let mut block = sealed.into();
        aes.decrypt_block(&mut block);
        plain.extend(block.iter().zip(previous).map(|(a, b)| a ^ b));
        previous = sealed;
    }
    let padding = 16 + usize::from(plain.get(15)? & 15);
    let mut out = frame[..clear].to_vec();
    out.extend_from_slice(plain.get(padding..)?);
    Some(out)
}

fn seal(key: [u8; 16], frame: &[u8], clear: usize) -> Vec<u8> {
    let aes = Aes128::new(&key.into());
    let body = &frame[clear..];
    let padding = 16 + (16 - body.len() % 16) % 16;
    let mut plain = vec![0x50; padding];
    plain[15] = (padding - 16) as u8;
    plain.extend_from_slice(body);
    let mut out = frame[..clear].to_vec();
    let mut previous = [0u8; 16];
    for chunk in plain.chunks(16) {
        let mixed: Vec<u8> = chunk.iter().zip(previous).map(|(a, b)| a ^ b).collect();
        let mut block = <[u8; 16]>::try_from(mixed).unwrap().into();
        aes.encrypt_block(&mut block);
        previous = block.into();
        out.extend_from_slice(&previous);
    }
    out
}

/// One frame as it is compared: what it is, its elements' numbers, and the values that both must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    what: String,
    ids: Vec<u8>,
    values: Vec<(u8, Vec<u8>)>,
}

fn line(full: &Full<'_>, brief: bool) -> Line {
    let what = match full.header.kind {
        Kind::Iax(command) => format!("{command:?}"),
        kind => format!("{kind:?} {:02x?}", full.payload),
    };
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    if matches!(full.header.kind, Kind::Iax(_))
        && let Ok(elements) = full.elements()
    {
        for element in elements.iter() {
            ids.push(element.id());
            let same = [
                id::CALLED_NUMBER,
                id::CALLED_CONTEXT,
                id::CALLING_NUMBER,
                id::USERNAME,
                id::PASSWORD,
                id::CAPABILITY,
                id::CAPABILITY2,
                id::LANGUAGE,
                id::AUTH_METHODS,
                id::REFRESH,
                id::CAUSE,
                id::CAUSE_CODE,
                id::DIALPLAN_STATUS,
                id::IAX_UNKNOWN,
                id::APPARENT_ADDRESS,
                id::CODEC_PREFERENCES,
                id::CALLING_PRESENTATION,
            ];
            let format = !brief && matches!(element.id(), id::FORMAT | id::FORMAT2);
            if same.contains(&element.id()) || format {
                let mut data = Vec::new();
                element.encode(&mut data);
                values.push((element.id(), data));
            }
        }
    }
    Line { what, ids, values }
}

/// One exchange of full frames.
#[derive(Debug, Default)]
struct Talk {
    remote: Option<SocketAddr>,
    /// Numbers in the capture: ours and the other side's.
    ours: Option<u16>,
    theirs: Option<u16>,
    /// Our endpoint's number.
    local: Option<u16>,
    call: Option<CallId>,
    expected: Vec<Line>,
    sent: Vec<Line>,
    voice_expected: Vec<Vec<u8>>,
    voice_sent: Vec<Vec<u8>>,
    voice_came: usize,
    voice_heard: usize,
    /// Challenge and token of the capture, and of our endpoint.
    challenge: [Vec<u8>; 2],
    token: [Vec<u8>; 2],
    offered_encryption: bool,
    /// Keys of what the other side sends, of what the capture's side sends, of what our endpoint takes and sends.
    keys: Option<[[u8; 16]; 4]>,
    last_echo: BTreeMap<u8, u32>,
    format: Option<Format>,
    last_voice: u32,
    brief: bool,
    /// Frames of the capture that were seen: Asterisk repeats encrypted ones without the R bit.
    seen: Vec<(bool, FullHeader)>,
}

struct Replay<'a> {
    name: &'a str,
    us: SocketAddr,
    endpoint: Endpoint,
    start: Instant,
    now: Instant,
    talks: Vec<Talk>,
    peers: HashMap<String, ()>,
    trunk_sent: usize,
    late: usize,
    registration: Option<RegistrationId>,
}

impl<'a> Replay<'a> {
    fn new(name: &'a str, us: SocketAddr) -> Self {
        let mut config = Config::default();
        config.ping_interval = None;
        config.lag_interval = None;
        #[expect(clippy::disallowed_methods, reason = "a virtual clock begins somewhere")]
        let start = Instant::now();
        let mut endpoint = Endpoint::new(start, config, [42; 32]);
        endpoint.set_wall_clock(start, 1_795_199_559);
        Self {
            name,
            us,
            endpoint,
            start,
            now: start,
            talks: Vec::new(),
            peers: HashMap::new(),
            trunk_sent: 0,
            late: 0,
            registration: None,
        }
    }

    fn find(&self, remote: SocketAddr, ours: u16, theirs: u16) -> Option<usize> {
        self.talks.iter().rposition(|talk| {
            talk.remote == Some(remote)
                && ((ours > 1 && talk.ours == Some(ours)) || (theirs > 1 && talk.theirs == Some(theirs)))
        })
    }

    /// Configures what the capture shows the real side to have been configured with.
    fn configure(&mut self, datagrams: &[Datagram]) {
        let frames: Vec<_> = datagrams
            .iter()
            .filter_map(|d| match Frame::parse(&d.payload) {
                Ok(Frame::Full(full)) => Some((d, full)),
                _ => None,
            })
            .collect();
        for (n, (datagram, full)) in frames.iter().enumerate() {
            let (Kind::Iax(command), Ok(elements), 0) =
                (full.header.kind, full.elements(), full.header.destination_call)
            else {
                continue;
            };
            let to_us = datagram.destination == self.us;
            if !matches!(command, Command::New | Command::RegReq | Command::RegRel) || !to_us {
                continue;
            }
            let Some(name) = elements.text(id::USERNAME).map(str::to_owned).or_else(|| {
                (command == Command::New && elements.data(id::CALL_TOKEN).is_some()).then(|| "guest".to_owned())
            }) else {
                continue;
            };
            if self.peers.contains_key(&name) || ["no_such_user", "nobody"].contains(&name.as_str()) {
                continue;
            }
            // What the real one answered to this exchange.
            let answers = frames[n..].iter().filter(|(d, f)| {
                d.source == self.us
                    && d.destination == datagram.source
                    && f.header.destination_call == full.header.source_call
            });
            let answers: Vec<_> = answers.map(|(_, f)| *f).collect();
            let first = |wanted: &[Command]| {
                let kind = |f: &&Full<'_>| matches!(f.header.kind, Kind::Iax(c) if wanted.contains(&c));
                answers.iter().find(kind).and_then(|f| f.elements().ok())
            };
            let mut peer = PeerConfig::new(name.clone());
            peer.methods = first(&[Command::AuthReq, Command::RegAuth]).and_then(|e| match e.get(id::AUTH_METHODS) {
                Some(Element::AuthMethods(methods)) => Some(methods),
                _ => None,
            });
            match peer.methods {
                Some(AuthMethods::RSA) => {
                    peer.keys = vec![PrivateKey::from_pem(TEST_KEY).unwrap().public_key()];
                }
                Some(_) => peer.secrets = vec![SECRET.into()],
                None if self.name.contains("acl_denied") || self.name.contains("notoken") => {
                    peer.secrets = if name.starts_with("guest") { vec![] } else { vec![SECRET.into()] };
                }
                None => {}
            }
            if first(&[Command::AuthReq]).is_some_and(|e| e.data(id::ENCRYPTION).is_some()) {
                peer.encryption = Encryption::Offered;
            }
            if self.name.starts_with("04f") {
                peer.encryption = Encryption::Required;
            }
            let registers = |f: &Full<'_>| {
                matches!(f.header.kind, Kind::Iax(Command::RegReq | Command::RegRel))
                    && f.elements().is_ok_and(|e| e.text(id::USERNAME) == Some(&name))
            };
            if frames.iter().any(|(d, f)| d.destination == self.us && registers(f)) {
                peer.address = PeerAddress::Dynamic;
            }
            if self.name.starts_with("08d") {
                peer.contexts = vec!["admin".to_owned()];
            }
            if self.name.starts_with("08h") && name == "iaxacl" {
                peer.allowed = vec![Network::new("10.0.0.0".parse().unwrap(), 8)];
            }
            // Without a token element and not refused: tokens are not asked for.
            let bare = answers.first().is_some_and(|f| f.payload.is_empty() && f.header.source_call == 1);
            if elements.data(id::CALL_TOKEN).is_none() && !bare {
                peer.token = if name.contains("auto") { TokenPolicy::Auto } else { TokenPolicy::NotRequired };
            }
            let encrypted = peer.encryption != Encryption::Off;
            let accepted = first(&[Command::Accept]).and_then(|e| match e.get(id::FORMAT) {
                Some(Element::Format(formats)) => Format::from_bits(formats.0),
                _ => None,
            });
            let offered = match elements.get(id::CAPABILITY) {
                Some(Element::Capability(formats)) => formats,
                _ => Formats::NONE,
            };
            match accepted {
                Some(format) => {
                    peer.formats = offered;
                    peer.preferences = Preferences::new([format]);
                }
                // What is encrypted cannot be seen: these captures are all of mu-law.
                None if encrypted => peer.formats = offered,
                None if self.name.starts_with("07a") || self.name.starts_with("07b") => {
                    let other = if offered.contains(Format::GSM) { Format::ALAW } else { Format::GSM };
                    peer.formats = Formats::NONE.with(other);
                }
                None => peer.formats = offered,
            }
            if peer.formats.is_empty() {
                peer.formats = Formats::G711;
            }
            if datagrams.iter().any(|d| d.source == self.us && d.payload.starts_with(&[0, 0, 1])) {
                let timestamps = datagrams.iter().any(|d| d.source == self.us && d.payload.starts_with(&[0, 0, 1, 1]));
                peer.trunk = Some(TrunkMode { timestamps });
            }
            self.endpoint.add_peer(self.now, peer).unwrap_or_else(|e| panic!("{}: {name}: {e}", self.name));
            self.peers.insert(name, ());
        }
    }

    /// A peer for what our side begins, as the capture's frame shows it.
    fn target(&mut self, to: SocketAddr, elements: &Elements<'_>, datagrams: &[Datagram]) -> String {
        let username = elements.text(id::USERNAME);
        let name = format!("to {to} {username:?} {:?}", elements.get(id::CAPABILITY));
        if self.peers.insert(name.clone(), ()).is_none() {
            let mut peer = PeerConfig::new(name.clone()).at(to);
            peer.may_call = false;
            let secret = if self.name.starts_with("08a") || self.name.starts_with("08e") { "wrong" } else { SECRET };
            peer.credentials = Credentials {
                username: username.map(str::to_owned),
                secret: Some(secret.into()),
                key: Some(PrivateKey::from_pem(TEST_KEY).unwrap()),
                allow_plaintext: true,
            };
            if let Some(Element::Capability(formats)) = elements.get(id::CAPABILITY) {
                peer.formats = formats;
            }
            peer.preferences = Preferences::from_letters(elements.data(id::CODEC_PREFERENCES).unwrap_or_default());
            if elements.data(id::ENCRYPTION).is_some() {
                peer.encryption = Encryption::Offered;
            }
            if datagrams.iter().any(|d| d.source == self.us && d.payload.starts_with(&[0, 0, 1])) {
                let timestamps = datagrams.iter().any(|d| d.source == self.us && d.payload.starts_with(&[0, 0, 1, 1]));
                peer.trunk = Some(TrunkMode { timestamps });
            }
            self.endpoint.add_peer(self.now, peer).unwrap();
        }
        name
    }

    /// Takes what our endpoint sends and says. Frames of an exchange that was just begun belong to `begun`.
    fn drain(&mut self, begun: Option<usize>) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Event(Event::Incoming { call, .. }) => {
                    let talk = self.talks.iter_mut().rfind(|talk| talk.local == Some(call.number())).unwrap();
                    talk.call = Some(call);
                }
                Output::Event(Event::Voice { call, .. }) => {
                    let talk = self.talks.iter_mut().rfind(|talk| talk.local == Some(call.number())).unwrap();
                    talk.voice_heard += 1;
                }
                Output::Event(_) => {}
                Output::Datagram { destination, payload } => self.on_sent(destination, &payload, begun),
            }
        }
    }

    fn on_sent(&mut self, to: SocketAddr, payload: &[u8], begun: Option<usize>) {
        match Frame::parse(payload).unwrap() {
            Frame::Full(outer) => {
                let header = outer.header;
                let index = begun.filter(|_| header.destination_call == 0).or_else(|| {
                    self.talks.iter().rposition(|talk| {
                        talk.remote == Some(to)
                            && (talk.local == Some(header.source_call) && header.source_call > 1
                                || talk.theirs == Some(header.destination_call))
                    })
                });
                // Exchanges of our endpoint's own accord (a refresh of a registration) are nothing to compare.
                let Some(index) = index else { return };
                let talk = &mut self.talks[index];
                if header.source_call > 1 {
                    talk.local = Some(header.source_call);
                }
                let plain = match talk.keys {
                    Some(keys) => open(keys[3], payload, 4).unwrap(),
                    None => payload.to_vec(),
                };
                let full = Full::parse(&plain).unwrap();
                if full.header.retransmission || matches!(full.header.kind, Kind::Iax(Command::Ack | Command::Vnak)) {
                    return;
                }
                match (full.header.kind, full.elements()) {
                    (Kind::Iax(Command::AuthReq | Command::RegAuth), Ok(elements)) => {
                        talk.challenge[1] = elements.data(id::CHALLENGE).unwrap_or_default().to_vec();
                    }
                    (Kind::Iax(Command::CallToken), Ok(elements)) => {
                        talk.token[1] = elements.data(id::CALL_TOKEN).unwrap().to_vec();
                    }
                    (Kind::Iax(Command::RtKey), Ok(elements)) => {
                        let key = elements.data(id::CHALLENGE).unwrap().try_into().unwrap();
                        talk.keys.as_mut().unwrap()[3] = key;
                    }
                    (Kind::Iax(Command::LagRq | Command::Ping), _) => {
                        let (_, subclass) = full.header.kind.to_bytes();
                        talk.last_echo.insert(subclass + 1, full.header.timestamp);
                    }
                    _ => {}
                }
                let what = line(&full, talk.brief);
                if let Kind::Voice(_) = full.header.kind {
                    talk.voice_sent.push(full.payload.to_vec());
                }
                talk.sent.push(what);
            }
            Frame::Mini(mini) => {
                let talk = self.talks.iter_mut().rfind(|talk| talk.local == Some(mini.source_call)).unwrap();
                let plain = match talk.keys {
                    Some(keys) => open(keys[3], payload, 2).unwrap(),
                    None => payload.to_vec(),
                };
                talk.voice_sent.push(plain[4..].to_vec());
            }
            Frame::Trunk(trunk) => {
                self.trunk_sent += 1;
                for entry in trunk.entries() {
                    let entry = entry.unwrap();
                    let talk = self.talks.iter_mut().rfind(|talk| talk.local == Some(entry.source_call)).unwrap();
                    assert!(talk.keys.is_none(), "voice of an encrypted call in clear");
                    talk.voice_sent.push(entry.payload.to_vec());
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// A frame of the other side, with its numbers, tokens and answers as our endpoint's are.
    fn feed(&mut self, datagram: &Datagram) {
        let source = datagram.source;
        let payload = match Frame::parse(&datagram.payload).unwrap() {
            Frame::Full(outer) => {
                let header = outer.header;
                let index = match self.find(source, header.destination_call, header.source_call) {
                    Some(index) => index,
                    None if header.destination_call == 0 => {
                        self.talks.push(Talk {
                            remote: Some(source),
                            theirs: Some(header.source_call),
                            ..Talk::default()
                        });
                        self.talks.len() - 1
                    }
                    // A call from before the capture.
                    None => return self.give(source, datagram.payload.clone()),
                };
                let talk = &mut self.talks[index];
                if header.source_call > 1 {
                    talk.theirs = Some(header.source_call);
                }
                let plain = match talk.keys {
                    Some(keys) => open(keys[0], &datagram.payload, 4).unwrap(),
                    None => datagram.payload.clone(),
                };
                let full = Full::parse(&plain).unwrap();
                let mut elements = Vec::new();
                let mut timestamp = full.header.timestamp;
                let mut payload = full.payload.to_vec();
                let mut rotated = None;
                if let (Kind::Iax(command), Ok(list)) = (full.header.kind, full.elements()) {
                    for element in list.iter() {
                        let mut bytes = Vec::new();
                        element.encode(&mut bytes);
                        let replacement = match element {
                            Element::CallToken(token) if !token.is_empty() && token == talk.token[0] => {
                                Some(Element::CallToken(&talk.token[1]))
                            }
                            Element::Md5Result(result) => {
                                let right = hex_of(md5_of(&talk.challenge[0]));
                                let ours = hex_of(md5_of(&talk.challenge[1]));
                                (result == right.as_bytes()).then(|| {
                                    bytes = ours.into_bytes();
                                    Element::Md5Result(&bytes)
                                })
                            }
                            Element::RsaResult(result) => {
                                let folder = common::captures().unwrap().join("keys");
                                let keys = std::fs::read_dir(folder).unwrap();
                                let keys = keys.map(|key| std::fs::read_to_string(key.unwrap().path()).unwrap());
                                let verified = keys
                                    .filter(|pem| PublicKey::from_pem(pem).unwrap().verify(&talk.challenge[0], result));
                                assert_eq!(verified.count(), 1, "{}: one key signed it", self.name);
                                let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([1; 32]);
                                let key = PrivateKey::from_pem(TEST_KEY).unwrap();
                                bytes = key.sign(&talk.challenge[1], &mut rng).unwrap().into_bytes();
                                Some(Element::RsaResult(&bytes))
                            }
                            _ => None,
                        };
                        replacement.unwrap_or(element).encode(&mut elements);
                    }
                    payload = elements;
                    match command {
                        Command::New => talk.offered_encryption |= list.data(id::ENCRYPTION).is_some(),
                        Command::AuthReq | Command::RegAuth => {
                            let challenge = list.data(id::CHALLENGE).unwrap_or_default().to_vec();
                            talk.challenge = [challenge.clone(), challenge];
                        }
                        Command::Pong | Command::LagRp => {
                            let (_, subclass) = full.header.kind.to_bytes();
                            timestamp = talk.last_echo.get(&subclass).copied().unwrap_or(timestamp);
                        }
                        Command::RtKey => rotated = list.data(id::CHALLENGE).map(|key| key.try_into().unwrap()),
                        _ => {}
                    }
                }
                let again = talk.seen.contains(&(false, full.header)) || full.header.retransmission;
                talk.seen.push((false, full.header));
                if let Kind::Voice(_) = full.header.kind
                    && !again
                {
                    talk.voice_came += 1;
                }
                let destination_call = match full.header.destination_call {
                    0 => 0,
                    1 => 1,
                    other => talk.local.unwrap_or(other),
                };
                let begins = full.header.kind == Kind::Iax(Command::AuthReq)
                    && Elements::parse(&payload).unwrap().data(id::ENCRYPTION).is_some();
                let mut bytes = Vec::new();
                let header = FullHeader { destination_call, timestamp, ..full.header };
                Full { header, payload: &payload }.encode(&mut bytes);
                let bytes = match talk.keys {
                    Some(keys) => seal(keys[2], &bytes, 4),
                    None => bytes,
                };
                if let (Some(key), Some(keys)) = (rotated, &mut talk.keys) {
                    keys[0] = key;
                    keys[2] = key;
                }
                if begins {
                    // We are the caller: the key is the same for our endpoint.
                    talk.keys = Some([md5_of(&talk.challenge[0]); 4]);
                }
                bytes
            }
            Frame::Mini(mini) => {
                let talk =
                    self.talks.iter_mut().rfind(|t| t.remote == Some(source) && t.theirs == Some(mini.source_call));
                match talk {
                    Some(talk) => {
                        let live = talk.call.is_some_and(|call| self.endpoint.call_address(call).is_some());
                        talk.voice_came += usize::from(live);
                        match talk.keys {
                            Some(keys) => seal(keys[2], &open(keys[0], &datagram.payload, 2).unwrap(), 2),
                            None => datagram.payload.clone(),
                        }
                    }
                    None => datagram.payload.clone(),
                }
            }
            Frame::Trunk(trunk) => {
                for entry in trunk.entries() {
                    let call = entry.unwrap().source_call;
                    let talk = self.talks.iter_mut().rfind(|t| t.remote == Some(source) && t.theirs == Some(call));
                    if let Some(talk) = talk {
                        // Voice in clear is not taken from an encrypted call.
                        let live = talk.call.is_some_and(|call| self.endpoint.call_address(call).is_some());
                        talk.voice_came += usize::from(live && talk.keys.is_none());
                    }
                }
                datagram.payload.clone()
            }
            other => panic!("{other:?}"),
        };
        self.give(source, payload);
    }

    fn give(&mut self, source: SocketAddr, payload: Vec<u8>) {
        // The endpoint may choose a number for a call that just came before its first frame is seen.
        let theirs = match Frame::parse(&payload) {
            Ok(Frame::Full(full)) if full.header.destination_call == 0 => Some(full.header.source_call),
            _ => None,
        };
        let known = theirs
            .and_then(|theirs| self.talks.iter().rposition(|t| t.remote == Some(source) && t.theirs == Some(theirs)));
        self.endpoint.handle_input(self.now, Input::Datagram { source, payload: Bytes::from(payload) });
        if let Some(index) = known
            && self.talks[index].local.is_none()
        {
            let calls: Vec<CallId> = self.endpoint.calls().collect();
            let taken: Vec<_> = self.talks.iter().filter_map(|talk| talk.local).collect();
            self.talks[index].local = calls.iter().map(|call| call.number()).find(|number| !taken.contains(number));
        }
        self.drain(None);
    }

    /// A frame of our side in the capture: what our endpoint has to send, or is told to.
    fn expect(&mut self, datagram: &Datagram, datagrams: &[Datagram]) {
        let to = datagram.destination;
        match Frame::parse(&datagram.payload).unwrap() {
            Frame::Full(outer) => {
                let header = outer.header;
                let index = match self.find(to, header.source_call, header.destination_call) {
                    Some(index) => index,
                    None if header.destination_call == 0 => {
                        self.talks.push(Talk { remote: Some(to), ours: Some(header.source_call), ..Talk::default() });
                        self.talks.len() - 1
                    }
                    None => return,
                };
                let talk = &mut self.talks[index];
                if header.source_call > 1 {
                    talk.ours = Some(header.source_call);
                }
                let plain = match talk.keys {
                    Some(keys) => open(keys[1], &datagram.payload, 4).unwrap(),
                    None => datagram.payload.clone(),
                };
                let full = Full::parse(&plain).unwrap();
                let again = talk.keys.is_some() && talk.seen.contains(&(true, full.header));
                talk.seen.push((true, full.header));
                let aside = matches!(full.header.kind, Kind::Iax(Command::Ack | Command::Vnak));
                if again || aside || full.header.retransmission {
                    return;
                }
                if let (Kind::Iax(command), Ok(elements)) = (full.header.kind, full.elements()) {
                    match command {
                        Command::New => talk.brief = elements.data(id::CODEC_PREFERENCES).is_none(),
                        Command::AuthReq | Command::RegAuth => {
                            talk.challenge[0] = elements.data(id::CHALLENGE).unwrap_or_default().to_vec();
                            if elements.data(id::ENCRYPTION).is_some() {
                                let (cap, own) = (md5_of(&talk.challenge[0]), md5_of(&talk.challenge[1]));
                                talk.keys = Some([cap, cap, own, own]);
                            }
                        }
                        Command::CallToken => talk.token[0] = elements.data(id::CALL_TOKEN).unwrap().to_vec(),
                        Command::RtKey => {
                            talk.keys.as_mut().unwrap()[1] = elements.data(id::CHALLENGE).unwrap().try_into().unwrap();
                        }
                        _ => {}
                    }
                }
                talk.expected.push(line(&full, talk.brief));
                if let Kind::Voice(_) = full.header.kind {
                    talk.voice_expected.push(full.payload.to_vec());
                }
                self.command(index, &full, to, datagrams);
            }
            Frame::Mini(mini) => {
                let found = self.talks.iter().rposition(|t| t.remote == Some(to) && t.ours == Some(mini.source_call));
                let Some(index) = found else { return };
                let keys = self.talks[index].keys;
                let plain = match keys {
                    Some(keys) => open(keys[1], &datagram.payload, 2).unwrap(),
                    None => datagram.payload.clone(),
                };
                let short = u16::from_be_bytes([plain[2], plain[3]]);
                self.voice(index, short, &plain[4..]);
            }
            Frame::Trunk(trunk) => {
                for entry in trunk.entries() {
                    let entry = entry.unwrap();
                    let found =
                        self.talks.iter().rposition(|t| t.remote == Some(to) && t.ours == Some(entry.source_call));
                    let Some(index) = found else { continue };
                    let short = entry.timestamp.unwrap_or((self.talks[index].last_voice as u16).wrapping_add(20));
                    self.voice(index, short, entry.payload);
                }
            }
            other => panic!("{other:?}"),
        }
        self.drain(None);
    }

    fn voice(&mut self, index: usize, short: u16, payload: &[u8]) {
        let talk = &mut self.talks[index];
        talk.voice_expected.push(payload.to_vec());
        let mut timestamp = (talk.last_voice & !0xffff) | u32::from(short);
        if timestamp + 0x8000 < talk.last_voice {
            timestamp += 0x1_0000;
        }
        talk.last_voice = timestamp;
        let (call, format) = (talk.call.unwrap(), talk.format.unwrap());
        match self.endpoint.send_voice_at(self.now, call, format, timestamp, payload) {
            Ok(()) => {}
            // What Asterisk's trunk still held when the call ended.
            Err(CommandError::UnknownCall | CommandError::State) => {
                talk.voice_expected.pop();
                self.late += 1;
            }
            Err(error) => panic!("{}: {error}", self.name),
        }
        self.drain(None);
    }

    /// Tells our endpoint what the real side's program told it, when this frame is not an answer by itself.
    fn command(&mut self, index: usize, full: &Full<'_>, to: SocketAddr, datagrams: &[Datagram]) {
        let now = self.now;
        let elements = full.elements().unwrap_or_default();
        let begun = self.talks[index].expected.len() == 1 && full.header.destination_call == 0;
        let text = |id| elements.text(id).map(str::to_owned);
        if let (Kind::Iax(command), true) = (full.header.kind, begun) {
            match command {
                Command::New => {
                    let peer = self.target(to, &elements, datagrams);
                    let mut new = NewCall {
                        number: text(id::CALLED_NUMBER),
                        context: text(id::CALLED_CONTEXT),
                        caller_number: text(id::CALLING_NUMBER),
                        caller_name: text(id::CALLING_NAME),
                        language: text(id::LANGUAGE),
                        brief: elements.data(id::CODEC_PREFERENCES).is_none(),
                        ..NewCall::default()
                    };
                    if let Some(Element::CallingPresentation(p)) = elements.get(id::CALLING_PRESENTATION) {
                        new.presentation = Some(p);
                    }
                    if let Some(Element::AdsiCpe(adsi)) = elements.get(id::ADSI_CPE) {
                        new.adsi = adsi;
                    }
                    let call = self.endpoint.dial(now, &peer, &new).unwrap();
                    self.talks[index].call = Some(call);
                    self.talks[index].local = Some(call.number());
                }
                Command::RegReq => {
                    let peer = self.target(to, &elements, datagrams);
                    let refresh = Duration::from_secs(60);
                    self.registration = Some(self.endpoint.register(now, &peer, refresh).unwrap());
                }
                Command::RegRel => {
                    let registration = self.registration.take().unwrap();
                    assert!(self.endpoint.unregister(now, registration));
                }
                Command::Poke => {
                    let peer = self.target(to, &elements, datagrams);
                    self.endpoint.poke(now, &peer).unwrap();
                }
                // The hand-made client sends what no program of ours would.
                _ => {}
            }
            self.drain(Some(index));
            return;
        }
        let Some(call) = self.talks[index].call else { return };
        let endpoint = &mut self.endpoint;
        let cause = match elements.get(id::CAUSE_CODE) {
            Some(Element::CauseCode(cause)) => cause,
            _ => Cause::NONE,
        };
        match full.header.kind {
            Kind::Iax(Command::Accept) => {
                let format = match elements.get(id::FORMAT) {
                    Some(Element::Format(formats)) => Format::from_bits(formats.0),
                    _ => None,
                };
                endpoint.accept(now, call, format).unwrap();
            }
            Kind::Iax(Command::Hangup | Command::Reject) => {
                // Some refusals are our endpoint's own doing.
                let _done = endpoint.hang_up(now, call, cause, elements.text(id::CAUSE));
            }
            Kind::Iax(Command::Ping) => endpoint.ping(now, call, false).unwrap(),
            Kind::Iax(Command::LagRq) => endpoint.ping(now, call, true).unwrap(),
            Kind::Iax(Command::DpReq) => {
                endpoint.query_dialplan(now, call, elements.text(id::CALLED_NUMBER).unwrap()).unwrap()
            }
            Kind::Iax(Command::DpRep) => {
                let number = elements.data(id::CALLED_NUMBER).unwrap();
                let refresh = Duration::from_secs(600);
                endpoint.answer_dialplan(now, call, number, DialplanStatus::EXISTS, refresh).unwrap();
            }
            Kind::Iax(Command::Transfer) => {
                endpoint.transfer(now, call, elements.text(id::CALLED_NUMBER).unwrap(), None).unwrap();
            }
            Kind::Iax(_) => {}
            Kind::Control(control) => endpoint.control(now, call, control, full.payload).unwrap(),
            Kind::DtmfBegin(digit) => endpoint.send_dtmf(now, call, char::from(digit), DtmfPhase::Begin).unwrap(),
            Kind::DtmfEnd(digit) => endpoint.send_dtmf(now, call, char::from(digit), DtmfPhase::End).unwrap(),
            Kind::Text(_) => {
                let text = std::str::from_utf8(full.payload).unwrap().trim_end_matches('\0');
                endpoint.send_text(now, call, text).unwrap();
            }
            Kind::Voice(subclass) => {
                let format = subclass.format().unwrap();
                let talk = &mut self.talks[index];
                talk.format = Some(format);
                talk.last_voice = full.header.timestamp;
                endpoint.send_voice_at(now, call, format, full.header.timestamp, full.payload).unwrap();
            }
            other => panic!("{}: {other:?}", self.name),
        }
        self.drain(None);
    }

    fn run(&mut self, datagrams: &[Datagram]) {
        self.configure(datagrams);
        for datagram in datagrams {
            let now = self.start + datagram.at;
            while let Some(due) = self.endpoint.poll_timeout().filter(|due| *due <= now) {
                self.now = self.now.max(due);
                self.endpoint.handle_timeout(self.now);
                self.drain(None);
            }
            self.now = now;
            if datagram.destination == self.us {
                self.feed(datagram);
            } else if datagram.source == self.us {
                self.expect(datagram, datagrams);
            }
        }
        self.now += Duration::from_millis(40);
        self.endpoint.handle_timeout(self.now);
        self.drain(None);
    }

    /// Compares what was sent with what the real side sent.
    fn check(&self, kinds_only: bool) -> (usize, usize) {
        let (mut frames, mut voice) = (0, 0);
        for talk in &self.talks {
            let show = |lines: &[Line]| {
                lines.iter().map(|l| format!("{:.40} {:02x?} {:02x?}", l.what, l.ids, l.values)).collect::<Vec<_>>()
            };
            let same = if kinds_only {
                // The hand-made client's frames of unknown commands and its element order are its own.
                true
            } else {
                // Full voice at a wrap is ours alone (Asterisk sends none): it is voice, and compared as voice. Pings and
                // answers by themselves cross what the program does: they are compared by their number.
                let pings = ["Ping", "Pong", "LagRq", "LagRp", "Unsupport"];
                let strip = |lines: &[Line]| {
                    let mut seen = false;
                    let mut all: Vec<_> = lines.to_vec();
                    all.retain(|line| {
                        !pings.contains(&line.what.as_str())
                            && (!line.what.starts_with("Voice") || !std::mem::replace(&mut seen, true))
                    });
                    let count = |what: &&str| lines.iter().filter(|line| line.what == *what).count();
                    (all, pings.iter().map(count).collect::<Vec<_>>())
                };
                strip(&talk.sent) == strip(&talk.expected)
            };
            assert!(
                same,
                "{} as {} with {:?}:\n sent     {:#?}\n expected {:#?}",
                self.name,
                self.us,
                talk.remote,
                show(&talk.sent),
                show(&talk.expected)
            );
            if !kinds_only {
                assert!(talk.voice_sent == talk.voice_expected, "{} as {}: voice sent", self.name, self.us);
                assert_eq!(talk.voice_heard, talk.voice_came, "{} as {}: voice heard", self.name, self.us);
            }
            frames += talk.sent.len();
            voice += talk.voice_sent.len() + talk.voice_heard;
        }
        (frames, voice)
    }
}

#[test]
fn every_capture_replayed_from_either_side_draws_what_the_real_peer_drew() {
    let Some(folder) = common::captures() else { return };
    let (mut files, mut sides, mut frames, mut voice) = (0, 0, 0, 0);
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort();
    for path in names {
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        files += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let datagrams = common::read_pcap(&std::fs::read(&path).unwrap());
        let mut addresses: Vec<_> = datagrams.iter().map(|datagram| datagram.source).collect();
        addresses.sort();
        addresses.dedup();
        for us in addresses {
            let raw = us.ip().to_string() == "127.0.0.60";
            if raw && !name.contains("_new_iax01_empty") && !name.contains("reg_iax02_empty") {
                // Of the hand-made client, only what a real one would do.
                continue;
            }
            eprintln!("{name} as {us}");
            let mut replay = Replay::new(&name, us);
            replay.run(&datagrams);
            let (f, v) = replay.check(raw);
            if name.starts_with("13_") && !raw {
                let s = replay.endpoint.snapshot();
                assert_eq!(s.calls + s.exchanges, 0, "{name}: nothing is left of it");
            }
            sides += 1;
            frames += f;
            voice += v;
        }
    }
    eprintln!("{files} files, {sides} sides, {frames} full frames as the real ones, {voice} frames of voice");
    assert!(files >= 60 && sides >= 100);
}
