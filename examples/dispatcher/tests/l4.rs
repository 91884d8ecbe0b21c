//! The balancer over real sockets.

use std::{net::SocketAddr, time::Duration};

use dispatcher::l4::{Algorithm, Balancer, Config};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server that greets with its name, says back what it hears, and closes when the other side does.
struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(name: &'static str, address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let _ = stream.write_all(name.as_bytes()).await;
                    let mut bytes = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                        let _ = stream.write_all(&bytes[..length]).await;
                    }
                    let _ = stream.write_all(b"bye").await;
                });
            }
        });
        Self { address, task }
    }

    fn stop(self) -> SocketAddr {
        self.task.abort();
        self.address
    }
}

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn config(servers: &[&Server]) -> Config {
    let servers = servers.iter().map(|server| (server.address.to_string(), server.address)).collect();
    Config { check: Duration::from_millis(50), ..Config::new(anywhere(), servers) }
}

/// Connects and reads the first letter of the greeting: which server it is. `None` when the connection is closed instead.
async fn visit(balancer: &Balancer) -> Option<(TcpStream, char)> {
    let mut stream = TcpStream::connect(balancer.local()).await.unwrap();
    let mut name = [0];
    let read = timeout(PATIENCE, stream.read(&mut name)).await.expect("an answer or an end");
    (read.unwrap_or(0) == 1).then(|| (stream, char::from(name[0])))
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

async fn end_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end");
    rest
}

#[tokio::test]
async fn connections_alternate_between_the_servers() {
    let (a, b) = (Server::start("a", anywhere()).await, Server::start("b", anywhere()).await);
    let balancer = Balancer::start(config(&[&a, &b])).await.unwrap();
    let mut kept = Vec::new();
    for expected in ['a', 'b', 'a', 'b'] {
        let (stream, name) = visit(&balancer).await.unwrap();
        assert_eq!(name, expected);
        kept.push(stream);
    }
    let snapshot = balancer.snapshot();
    assert_eq!(snapshot.connections, 4);
    assert!(snapshot.servers.iter().all(|server| server.connections == 2 && server.total == 2), "{snapshot:?}");
    drop(kept);
    until("no connection", || balancer.snapshot().connections == 0).await;
}

#[tokio::test]
async fn least_connections_fills_up_the_idler_server() {
    let (a, b) = (Server::start("a", anywhere()).await, Server::start("b", anywhere()).await);
    let balancer = Balancer::start(Config { algorithm: Algorithm::Leastconn, ..config(&[&a, &b]) }).await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(visit(&balancer).await.unwrap());
    }
    kept.retain(|(_, name)| *name == 'a');
    until("two connections", || balancer.snapshot().connections == 2).await;
    for _ in 0..2 {
        let (stream, name) = visit(&balancer).await.unwrap();
        assert_eq!(name, 'b');
        kept.push((stream, name));
    }
}

#[tokio::test]
async fn what_one_side_says_last_reaches_the_other_after_a_half_close() {
    let a = Server::start("a", anywhere()).await;
    let balancer = Balancer::start(config(&[&a])).await.unwrap();
    let (mut stream, _) = visit(&balancer).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(end_of(&mut stream).await, b"hellobye");
    until("no connection", || balancer.snapshot().connections == 0).await;
    let server = &balancer.snapshot().servers[0];
    assert_eq!((server.to_server, server.to_client), (5, 9));
}

#[tokio::test]
async fn a_dead_server_loses_its_connections_and_gets_no_new_ones_until_it_is_back() {
    let (a, b) = (Server::start("a", anywhere()).await, Server::start("b", anywhere()).await);
    let balancer = Balancer::start(config(&[&a, &b])).await.unwrap();
    let (mut of_a, name) = visit(&balancer).await.unwrap();
    assert_eq!(name, 'a');
    let address = a.stop();
    end_of(&mut of_a).await;
    for _ in 0..4 {
        // Also before the next check: a phone never meets the dead one.
        assert_eq!(visit(&balancer).await.unwrap().1, 'b');
    }
    until("a is down", || balancer.snapshot().servers[0].up == Some(false)).await;
    let _a = Server::start("a", address).await;
    until("a is up", || balancer.snapshot().servers[0].up == Some(true)).await;
    let names = [visit(&balancer).await.unwrap().1, visit(&balancer).await.unwrap().1];
    assert!(names.contains(&'a') && names.contains(&'b'), "{names:?}");
}

#[tokio::test]
async fn a_server_that_goes_silent_after_accepting_is_noticed_by_the_end_of_its_listener() {
    // The listener closes but the connection stays open, as when a process hangs in its end.
    let listener = TcpListener::bind(anywhere()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let b = Server::start("b", anywhere()).await;
    let mut config = config(&[&b]);
    config.servers.insert(0, ("hanging".to_owned(), address));
    let balancer = Balancer::start(Config { check: Duration::from_millis(300), ..config }).await.unwrap();
    let mut client = TcpStream::connect(balancer.local()).await.unwrap();
    client.write_all(b"x").await.unwrap();
    let held = loop {
        let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let mut byte = [0];
        // Checks come and go without a word.
        if stream.read(&mut byte).await.unwrap_or(0) == 1 {
            break stream;
        }
    };
    drop(listener);
    end_of(&mut client).await;
    drop(held);
}

#[tokio::test]
async fn a_connection_that_carries_nothing_is_closed_and_one_that_does_is_not() {
    let a = Server::start("a", anywhere()).await;
    let idle = Duration::from_millis(400);
    let balancer = Balancer::start(Config { idle, ..config(&[&a]) }).await.unwrap();
    let (mut silent, _) = visit(&balancer).await.unwrap();
    let (mut talking, _) = visit(&balancer).await.unwrap();
    let talk = async {
        for _ in 0..10 {
            talking.write_all(b"x").await.unwrap();
            talking.read_exact(&mut [0]).await.unwrap();
            tokio::time::sleep(idle / 4).await;
        }
    };
    let ((), rest) = tokio::join!(talk, end_of(&mut silent));
    assert_eq!(rest, b"");
    let snapshot = balancer.snapshot();
    assert_eq!((snapshot.idled, snapshot.connections), (1, 1));
}

#[tokio::test]
async fn connections_past_the_limit_are_closed() {
    let a = Server::start("a", anywhere()).await;
    let balancer = Balancer::start(Config { connections: 2, ..config(&[&a]) }).await.unwrap();
    let kept = (visit(&balancer).await.unwrap(), visit(&balancer).await.unwrap());
    assert!(visit(&balancer).await.is_none());
    assert_eq!(balancer.snapshot().refused, 1);
    drop(kept);
    until("no connection", || balancer.snapshot().connections == 0).await;
    assert!(visit(&balancer).await.is_some());
}

#[tokio::test]
async fn without_any_server_a_connection_is_closed_at_once() {
    let balancer = Balancer::start(config(&[])).await.unwrap();
    assert!(visit(&balancer).await.is_none());
    until("a refusal", || balancer.snapshot().refused == 1).await;
}

#[tokio::test]
async fn the_end_of_the_balancer_is_the_end_of_its_connections() {
    let a = Server::start("a", anywhere()).await;
    let balancer = Balancer::start(config(&[&a])).await.unwrap();
    let (mut stream, _) = visit(&balancer).await.unwrap();
    drop(balancer);
    end_of(&mut stream).await;
}

fn state(balancer: &Balancer, server: usize) -> &'static str {
    balancer.snapshot().servers[server].state
}

#[tokio::test]
async fn a_server_that_drains_keeps_its_connections_and_gets_no_new_ones_until_it_is_enabled() {
    let (a, b) = (Server::start("a", anywhere()).await, Server::start("b", anywhere()).await);
    let balancer = Balancer::start(config(&[&a, &b])).await.unwrap();
    let (mut of_a, name) = visit(&balancer).await.unwrap();
    assert_eq!(name, 'a');
    assert!(balancer.drain(&a.address.to_string(), None));
    assert!(!balancer.drain("nobody", None));
    for _ in 0..4 {
        assert_eq!(visit(&balancer).await.unwrap().1, 'b');
    }
    of_a.write_all(b"still here").await.unwrap();
    let mut said = [0; 10];
    timeout(PATIENCE, of_a.read_exact(&mut said)).await.unwrap().unwrap();
    assert_eq!(&said, b"still here");
    let drain = balancer.snapshot().servers[0].drain.unwrap();
    assert_eq!((state(&balancer, 0), drain.had, drain.left, drain.over), ("draining", 1, 1, false));
    drop(of_a);
    until("a to be empty", || state(&balancer, 0) == "disabled").await;
    assert!(balancer.snapshot().servers[0].drain.unwrap().over);
    assert_eq!(visit(&balancer).await.unwrap().1, 'b');
    assert!(balancer.enable(&a.address.to_string()));
    let names = [visit(&balancer).await.unwrap().1, visit(&balancer).await.unwrap().1];
    assert!(names.contains(&'a') && names.contains(&'b'), "{names:?}");
}

#[tokio::test]
async fn at_the_deadline_of_a_drain_what_is_left_is_closed_and_goes_elsewhere() {
    let (a, b) = (Server::start("a", anywhere()).await, Server::start("b", anywhere()).await);
    let balancer = Balancer::start(config(&[&a, &b])).await.unwrap();
    let (mut of_a, _) = visit(&balancer).await.unwrap();
    let (mut of_b, _) = visit(&balancer).await.unwrap();
    balancer.drain(&a.address.to_string(), Some(Duration::from_millis(200)));
    assert!(balancer.snapshot().servers[0].drain.unwrap().deadline.is_some());
    end_of(&mut of_a).await;
    assert_eq!(state(&balancer, 0), "disabled");
    assert_eq!(visit(&balancer).await.unwrap().1, 'b');
    of_b.write_all(b"x").await.unwrap();
    timeout(PATIENCE, of_b.read_exact(&mut [0])).await.unwrap().unwrap();
}

#[tokio::test]
async fn servers_are_swapped_while_connections_go_on() {
    let (a, b) = (Server::start("a", anywhere()).await, Server::start("b", anywhere()).await);
    let balancer = Balancer::start(config(&[&a])).await.unwrap();
    let (mut of_a, _) = visit(&balancer).await.unwrap();
    let only_b = [(b.address.to_string(), b.address)];
    balancer.replace(Algorithm::Source, &only_b);
    for _ in 0..3 {
        assert_eq!(visit(&balancer).await.unwrap().1, 'b');
    }
    of_a.write_all(b"x").await.unwrap();
    timeout(PATIENCE, of_a.read_exact(&mut [0])).await.unwrap().unwrap();
    // One that stays keeps what was wanted of it and what was counted, a new one is checked like any.
    balancer.disable(&only_b[0].0);
    balancer.replace(Algorithm::Roundrobin, &[only_b[0].clone(), ("again".to_owned(), a.address)]);
    assert_eq!((state(&balancer, 0), balancer.snapshot().servers[0].total), ("disabled", 3));
    assert_eq!(visit(&balancer).await.unwrap().1, 'a');
    a.stop();
    until("a is down", || state(&balancer, 1) == "probing").await;
    assert!(!balancer.is_ready());
    assert!(visit(&balancer).await.is_none());
}
