//! What `pbx -x` prints, to the letter: the columns are those that scripts for Asterisk cut out.

mod support;

use std::sync::Arc;

use pbx::{
    asterisk::file,
    console,
    control::Control,
    dialplan::Dialplan,
    http::router,
    status::{
        Account, Binding, Call, Flow, Iax, IaxChannel, IaxPeer, IaxRegistration, Qualify, Settings, Side,
        SipRegistration, State, Status, Step,
    },
};
use tokio::net::TcpListener;

const START: u64 = 1_700_000_000_000;

fn phone(name: &str, contact: &str, reachable: bool) -> Account {
    let address = contact.split('@').nth(1).unwrap().split(';').next().unwrap();
    let binding = Binding { contact: contact.into(), address: address.into(), reachable, ..Binding::default() };
    Account {
        name: name.into(),
        bindings: vec![binding],
        settings: Settings { user: Some(name.into()), contacts: 8, ..Settings::default() },
        ..Account::default()
    }
}

fn accounts() -> Vec<Account> {
    let mut alice = phone("1001", "sip:1001@192.0.2.7:5070;transport=udp;line=4711", true);
    alice.qualify = Some(Qualify { reachable: true, lagged: false, milliseconds: Some(12) });
    alice.settings.number = Some("2001".into());
    alice.settings.transport = Some("UDP");
    alice.calls = 1;
    let mut bob = phone("1002", "sip:1002@192.0.2.8", false);
    bob.settings = Settings { user: Some("bob".into()), contacts: 1, has_rules: true, ..Settings::default() };
    bob.bindings.clear();
    let trunk = Account {
        name: "provider".into(),
        fixed: Some("203.0.113.5:5080".into()),
        calls: 1,
        settings: Settings {
            remote_user: Some("49301234".into()),
            calls: Some(1),
            networks: vec!["203.0.113.5/32".into(), "198.51.100.0/24".into()],
            ..Settings::default()
        },
        ..Account::default()
    };
    vec![alice, bob, trunk]
}

fn side(channel: &str, peer: &str, number: &str, name: Option<&str>, state: &'static str) -> Side {
    Side {
        channel: channel.into(),
        unique: "1700000000.7".into(),
        number: number.into(),
        name: name.map(str::to_owned),
        peer: Some(peer.into()),
        state,
        began: START + 30_000,
        since: START + 40_000,
        ..Side::default()
    }
}

fn calls() -> Vec<Call> {
    let step = |extension: &str, priority| Step { context: "admin".into(), extension: extension.into(), priority };
    vec![
        Call {
            id: 7,
            state: State::Up,
            dialled: "0049301234567".into(),
            application: "Dial".into(),
            data: "SIP/0049301234567@provider,30,r".into(),
            step: step("0049301234567", 2),
            caller: side("SIP/1001-00000001", "1001", "2001", Some("Alice"), "Up"),
            callee: Some(side("SIP/provider-00000002", "provider", "0049301234567", None, "Up")),
            ..Call::default()
        },
        Call {
            id: 8,
            state: State::Ringing,
            dialled: "s".into(),
            application: "Dial".into(),
            data: "SIP/1002".into(),
            step: step("1002", 11),
            caller: side("IAX2/zone1-16385", "zone1", "3001", None, "Ring"),
            callee: Some(side("SIP/1002-00000003", "1002", "1002", None, "Ringing")),
            ..Call::default()
        },
    ]
}

fn iax() -> Iax {
    let flow = Flow { datagrams: 50, bytes: 10_000, trunk_frames: 40, rate: 160_000 };
    let zone = IaxPeer {
        name: "zone1".into(),
        username: Some("pbx".into()),
        address: Some("192.168.0.3:4569".into()),
        dynamic: true,
        trunk: true,
        state: "OK",
        delay: Some(1.4),
        calls: 1,
        sent: flow,
        received: flow,
        ..IaxPeer::default()
    };
    let far = IaxPeer {
        name: "far".into(),
        address: Some("198.51.100.9:4569".into()),
        encrypted: true,
        state: "UNREACHABLE",
        ..IaxPeer::default()
    };
    let channel = IaxChannel {
        channel: "IAX2/zone1-16385".into(),
        peer: "zone1".into(),
        address: "192.168.0.3:4569".into(),
        numbers: (16_385, 77),
        sequence: (3, 5),
        lag: Some(2),
        lost: 4,
        format: Some("PCMU".into()),
        ..IaxChannel::default()
    };
    let registration = |host: &str, perceived: Option<&str>, state| IaxRegistration {
        host: host.into(),
        username: "zone2".into(),
        perceived: perceived.map(str::to_owned),
        refresh: 60,
        state,
        since: None,
    };
    Iax {
        peers: vec![zone, far, IaxPeer { name: "new".into(), state: "UNKNOWN", dynamic: true, ..IaxPeer::default() }],
        registrations: vec![
            registration("192.168.0.3:4569", Some("192.168.0.2:4569"), "Registered"),
            registration("198.51.100.9:4569", None, "Request Sent"),
        ],
        channels: vec![channel],
        sent: flow,
        received: flow,
        counters: [("malformed", 2)].into(),
    }
}

fn plan() -> Dialplan {
    let text = "[admin]\nexten => _X.,1,Answer()\nsame => n(again),Dial(SIP/${EXTEN},30,r)\nexten => o,1,Hangup()\n\
                [other]\nexten => 1,1,Hangup()\n";
    let mut problems = Vec::new();
    let file = file::read("extensions.conf", &mut |_| Ok(text.to_owned()), &mut problems).unwrap();
    Dialplan::parse(&file, &mut problems)
}

fn picture() -> Status {
    let mut status = Status {
        at: START + 90_000,
        started: START,
        listeners: vec!["udp 192.0.2.1:5060".into(), "tcp 192.0.2.1:5060".into()],
        accounts: accounts(),
        calls: calls(),
        iax: Some(iax()),
        dialplan: Arc::new(plan()),
        registrations: vec![SipRegistration {
            host: "sip.example.com".into(),
            user: "49301234".into(),
            refresh: 105,
            state: "Registered",
            since: None,
        }],
        ..Status::default()
    };
    status.totals.calls.insert("ANSWERED", 9);
    status
}

/// Asks as `pbx -x` does.
async fn ask(status: Status, line: &'static str) -> Result<String, String> {
    let (control, orders, publisher) = Control::new(status);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(control, address);
    // Nobody draws another picture.
    drop(orders);
    let server = tokio::spawn(async move {
        let _publisher = publisher;
        axum::serve(listener, router).await.unwrap();
    });
    let answer = tokio::task::spawn_blocking(move || console::ask(address, line).unwrap()).await.unwrap();
    server.abort();
    answer
}

/// Each line ends with `|` in what is expected, so that blanks at its end are seen.
async fn shows(status: Status, line: &'static str, expected: &str) {
    let answer = ask(status, line).await.unwrap();
    let seen: String = answer.lines().map(|line| format!("{line}|\n")).collect();
    assert_eq!(seen, expected, "{line}:\n{answer}");
    assert!(answer.ends_with('\n'));
}

#[tokio::test]
async fn core_show_channels_has_both_sides_of_every_call() {
    shows(
        picture(),
        "core show channels",
        "\
Channel              Location             State   Application(Data)             |
SIP/1001-00000001    0049301234567@admin: Up      Dial(SIP/0049301234567@provide|
SIP/provider-0000000 (None)               Up      AppDial((Outgoing Line))      |
IAX2/zone1-16385     1002@admin:11        Ring    Dial(SIP/1002)                |
SIP/1002-00000003    (None)               Ringing AppDial((Outgoing Line))      |
4 active channels|
2 active calls|
11 calls processed|
",
    )
    .await;
    shows(
        Status::default(),
        "core show channels",
        "\
Channel              Location             State   Application(Data)             |
0 active channels|
0 active calls|
0 calls processed|
",
    )
    .await;
}

#[tokio::test]
async fn core_show_channels_verbose_has_all_that_is_known() {
    shows(
        picture(),
        "core show channels verbose",
        "\
Channel              Context              Extension        Prio State   Application  Data                      CallerID        Duration Accountcode PeerAccount BridgedTo           |
SIP/1001-00000001    admin                0049301234567       2 Up      Dial         SIP/0049301234567@provide 2001            00:01:00 1001        provider    SIP/provider-0000000|
SIP/provider-0000000 admin                                    1 Up      AppDial      (Outgoing Line)           0049301234567   00:01:00 provider    1001        SIP/1001-00000001   |
IAX2/zone1-16385     admin                1002               11 Ring    Dial         SIP/1002                  3001            00:01:00 zone1       1002        (None)              |
SIP/1002-00000003    admin                                    1 Ringing AppDial      (Outgoing Line)           1002            00:01:00 1002        zone1       (None)              |
4 active channels|
2 active calls|
11 calls processed|
",
    )
    .await;
}

#[tokio::test]
async fn core_show_channels_concise_parts_its_fields_by_exclamation_marks() {
    shows(
        picture(),
        "core show channels concise",
        "\
SIP/1001-00000001!admin!0049301234567!2!Up!Dial!SIP/0049301234567@provider,30,r!2001!1001!provider!3!60!SIP/provider-00000002!1700000000.7|
SIP/provider-00000002!admin!!1!Up!AppDial!(Outgoing Line)!0049301234567!provider!1001!3!60!SIP/1001-00000001!1700000000.7|
IAX2/zone1-16385!admin!1002!11!Ring!Dial!SIP/1002!3001!zone1!1002!3!60!(None)!1700000000.7|
SIP/1002-00000003!admin!!1!Ringing!AppDial!(Outgoing Line)!1002!1002!zone1!3!60!(None)!1700000000.7|
",
    )
    .await;
}

#[tokio::test]
async fn sip_show_peers_ends_with_how_many_are_online() {
    shows(
        picture(),
        "sip show peers",
        "\
Name/username             Host                                    Dyn Forcerport Comedia    ACL Port     Status      Description                      |
1001/1001                 192.0.2.7                                D  Yes        Yes            5070     OK (12 ms)                                   |
1002                      (Unspecified)                            D  Yes        Yes         A  0        Unmonitored                                  |
provider/49301234         203.0.113.5                                 Yes        Yes            5080     Unmonitored                                  |
3 sip peers [Monitored: 1 online, 0 offline Unmonitored: 1 online, 1 offline]|
",
    )
    .await;
}

#[tokio::test]
async fn pjsip_show_endpoints_has_what_belongs_to_each() {
    shows(
        picture(),
        "pjsip show endpoints",
        "\
|
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>|
    I/OAuth:  <AuthId/UserName...........................................................>|
        Aor:  <Aor............................................>  <MaxContact>|
      Contact:  <Aor/ContactUri..........................> <Hash....> <Status> <RTT(ms)..>|
  Transport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress..................>|
   Identify:  <Identify/Endpoint.........................................................>|
        Match:  <criteria.........................>|
    Channel:  <ChannelId......................................>  <State.....>  <Time.....>|
        Exten: <DialedExten...........>  CLCID: <ConnectedLineCID.......>|
==========================================================================================|
|
 Endpoint:  1001/2001                                            In use        1 of inf|
     InAuth:  1001/1001|
        Aor:  1001                                               8|
      Contact:  1001/sip:1001@192.0.2.7:5070;transport=udp 9821d16c7a Avail        12.000|
  Transport:  udp                       udp      0      0  192.0.2.1:5060|
    Channel: SIP/1001-00000001/Dial                              Up            00:01:00   |
        Exten: 0049301234567             CLCID: \"\" <0049301234567>|
|
 Endpoint:  1002                                                 Unavailable   0 of inf|
     InAuth:  1002/bob|
        Aor:  1002                                               1|
    Channel: SIP/1002-00000003/AppDial                           Ringing       00:01:00   |
        Exten:                           CLCID: \"\" <3001>|
|
 Endpoint:  provider                                             Busy          1 of 1|
    OutAuth:  provider/49301234|
        Aor:  provider                                           0|
      Contact:  provider/sip:203.0.113.5:5080              44b22e7fb5 NonQual         nan|
   Identify:  provider/provider|
        Match: 203.0.113.5/32|
        Match: 198.51.100.0/24|
    Channel: SIP/provider-00000002/AppDial                       Up            00:01:00   |
        Exten:                           CLCID: \"Alice\" <2001>|
|
|
Objects found: 3|
|
",
    )
    .await;
    assert_eq!(ask(Status::default(), "pjsip show endpoints").await.unwrap(), "No objects found.\n\n");
}

#[tokio::test]
async fn sip_show_registry_tells_where_this_program_is_registered() {
    shows(
        picture(),
        "sip show registry",
        "\
Host                                    dnsmgr Username       Refresh State                Reg.Time                 |
sip.example.com:5060                    N      49301234           105 Registered                                    |
1 SIP registrations.|
",
    )
    .await;
}

#[tokio::test]
async fn iax2_show_peers_tells_how_each_is_reached() {
    shows(
        picture(),
        "iax2 show peers",
        "\
Name/Username    Host                                          Mask                                      Port           Status      Description                     |
zone1/pbx        192.168.0.3                              (D)  255.255.255.255                           4569  (T)      OK (1 ms)                                   |
far              198.51.100.9                             (S)  255.255.255.255                           4569      (E)  UNREACHABLE                                 |
new              (null)                                   (D)  (null)                                    0              UNKNOWN                                     |
3 iax2 peers [1 online, 2 offline, 0 unmonitored]|
",
    )
    .await;
}

#[tokio::test]
async fn iax2_show_registry_tells_how_far_each_registration_is() {
    shows(
        picture(),
        "iax2 show registry",
        "\
Host                                           dnsmgr  Username    Perceived                                      Refresh  State|
192.168.0.3:4569                               N       zone2       192.168.0.2:4569                                    60  Registered|
198.51.100.9:4569                              N       zone2       <Unregistered>                                      60  Request Sent|
2 IAX2 registrations.|
",
    )
    .await;
}

#[tokio::test]
async fn iax2_show_channels_and_stats_tell_of_the_voice() {
    shows(
        picture(),
        "iax2 show channels",
        "\
Channel               Peer                                      Username    ID (Lo/Rem)  Seq (Tx/Rx)  Lag      Jitter  JitBuf  Format  Lost|
IAX2/zone1-16385      192.168.0.3                               zone1       16385/00077  00003/00005  00002ms  0000ms  0000ms  PCMU    4|
1 active IAX channel|
",
    )
    .await;
    shows(
        picture(),
        "iax2 show stats",
        "    IAX Statistics|
---------------------|
zone1: 1 call, trunk|
  sent      50 datagrams (40 trunk frames), 10000 bytes, 160 kbit/s, 160 kbit/s a call|
  received  50 datagrams (40 trunk frames), 10000 bytes, 160 kbit/s, 160 kbit/s a call|
far: 0 calls|
  sent      0 datagrams (0 trunk frames), 0 bytes, 0 kbit/s|
  received  0 datagrams (0 trunk frames), 0 bytes, 0 kbit/s|
new: 0 calls|
  sent      0 datagrams (0 trunk frames), 0 bytes, 0 kbit/s|
  received  0 datagrams (0 trunk frames), 0 bytes, 0 kbit/s|
All|
  sent      50 datagrams (40 trunk frames), 10000 bytes, 160 kbit/s|
  received  50 datagrams (40 trunk frames), 10000 bytes, 160 kbit/s|
malformed: 2|
",
    )
    .await;
}

#[tokio::test]
async fn dialplan_show_has_one_context_or_all() {
    shows(
        picture(),
        "dialplan show admin",
        "\
[ Context 'admin' created by 'pbx_config' ]|
  'o' =>            1. Hangup()                                   [extensions.conf:4]|
  '_X.' =>          1. Answer()                                   [extensions.conf:2]|
     [again]        2. Dial(SIP/${EXTEN},30,r)                    [extensions.conf:3]|
|
-= 2 extensions (3 priorities) in 1 context. =-|
",
    )
    .await;
    let all = ask(picture(), "dialplan show").await.unwrap();
    assert!(all.contains("[ Context 'other' created by 'pbx_config' ]\n  '1' =>"), "{all}");
    assert!(all.ends_with("-= 3 extensions (4 priorities) in 2 contexts. =-\n"), "{all}");
    let none = ask(picture(), "dialplan show nowhere").await;
    assert_eq!(none.unwrap_err(), "There is no existence of 'nowhere' context\n");
}
