//! An endpoint on a UDP socket under tokio.
#![expect(clippy::disallowed_methods, reason = "a driver owns the clock")]

use std::io;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use bytes::BytesMut;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

use crate::{Config, Endpoint, Event, Input, Output};

/// Largest datagram that UDP carries.
const DATAGRAM: usize = 65_535;

type Job = Box<dyn FnOnce(&mut Endpoint, Instant) + Send>;

/// An endpoint and its socket; [`run`](Self::run) is its life.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use iax2::driver::Driver;
/// use iax2::{Config, Event, PeerConfig};
///
/// let (driver, handle, mut events) = Driver::bind("[::]:4569".parse().unwrap(), Config::default()).await?;
/// tokio::spawn(driver.run());
/// handle.run(|endpoint, now| endpoint.add_peer(now, PeerConfig::new("alice").with_secret("1234").dynamic())).await;
/// while let Some(event) = events.recv().await {
///     if let Event::Incoming { call, .. } = event {
///         handle.run(move |endpoint, now| endpoint.answer(now, call)).await;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Driver {
    socket: UdpSocket,
    endpoint: Endpoint,
    jobs: mpsc::Receiver<Job>,
    events: mpsc::Sender<Event>,
    lost_events: u64,
}

/// Gives commands to a driven endpoint.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    local: SocketAddr,
}

impl Handle {
    /// Runs a command on the endpoint and returns what it returned; `None` when the driver has ended.
    pub async fn run<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Endpoint, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |endpoint, now| {
            // Who asked may be gone.
            let _unheard = done.send(command(endpoint, now));
        });
        self.jobs.send(job).await.ok()?;
        result.await.ok()
    }

    /// The address that the socket is bound to.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }
}

impl Driver {
    /// Binds a socket. Events come out of the receiver: media too, so it wants to be read quickly; what does not fit its
    /// 4,096 places is lost when it is media, and waits when it is not.
    ///
    /// # Errors
    /// The address cannot be bound, or the system gives no randomness.
    pub async fn bind(address: SocketAddr, config: Config) -> io::Result<(Self, Handle, mpsc::Receiver<Event>)> {
        let socket = UdpSocket::bind(address).await?;
        let local = socket.local_addr()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| io::Error::other("no randomness"))?;
        let now = Instant::now();
        let mut endpoint = Endpoint::new(now, config, seed);
        if let Ok(unix) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            endpoint.set_wall_clock(now, unix.as_secs());
        }
        let (jobs_in, jobs) = mpsc::channel(1024);
        let (events, events_out) = mpsc::channel(4096);
        let driver = Self { socket, endpoint, jobs, events, lost_events: 0 };
        Ok((driver, Handle { jobs: jobs_in, local }, events_out))
    }

    /// Drives the endpoint until all handles are gone.
    ///
    /// # Errors
    /// The socket cannot be read any more.
    pub async fn run(mut self) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(DATAGRAM * 4);
        loop {
            self.drain().await;
            let due = self.endpoint.poll_timeout();
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            if buffer.capacity() < DATAGRAM {
                buffer = BytesMut::with_capacity(DATAGRAM * 4);
            }
            tokio::select! {
                received = self.socket.recv_buf_from(&mut buffer) => match received {
                    Ok((_, source)) => {
                        let payload = buffer.split().freeze();
                        self.endpoint.handle_input(Instant::now(), Input::Datagram { source, payload });
                    }
                    // An ICMP error of what was sent before: no reason to stop.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused || error.kind() == io::ErrorKind::ConnectionReset => {}
                    Err(error) => return Err(error),
                },
                job = self.jobs.recv() => match job {
                    Some(job) => job(&mut self.endpoint, Instant::now()),
                    None => return Ok(()),
                },
                () = sleep => self.endpoint.handle_timeout(Instant::now()),
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { destination, payload } => {
                    if let Err(error) = self.socket.send_to(&payload, destination).await {
                        // Lost, as on any network; what matters is sent again.
                        tracing::debug!(%destination, %error, "datagram not sent");
                    }
                }
                Output::Event(event @ (Event::Voice { .. } | Event::Video { .. })) => {
                    if self.events.try_send(event).is_err() {
                        self.lost_events += 1;
                    }
                }
                Output::Event(event) => self.tell(event).await,
            }
        }
    }

    /// Waits for room, and serves commands meanwhile: who is to read the events may be waiting for one.
    async fn tell(&mut self, event: Event) {
        loop {
            tokio::select! {
                biased;
                room = self.events.reserve() => {
                    // Without it nobody listens, and commands still work.
                    if let Ok(room) = room {
                        room.send(event);
                    }
                    return;
                }
                job = self.jobs.recv() => match job {
                    Some(job) => job(&mut self.endpoint, Instant::now()),
                    // Nor does anybody command: it ends.
                    None => return,
                },
            }
        }
    }
}
