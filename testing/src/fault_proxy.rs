//! A proxy between the service and AWS that injects faults on the socket: it resets and cuts connections, and
//! delays calls.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use self::message::{Message, error_response};
use crate::deployment::TestApp;

mod fault;
mod message;

pub use fault::{Fault, FaultKind};

/// The proxy. Clones share one listener and one state.
#[derive(Clone)]
pub struct FaultProxy(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    cloud: SocketAddr,
    clock: Arc<AtomicU64>,
    state: Mutex<State>,
    should_listen: watch::Sender<bool>,
    is_listening: watch::Sender<bool>,
    /// Wakes the postponed calls.
    recovered: Notify,
    /// The number of calls in progress, including those whose caller has closed the connection.
    in_progress: AtomicUsize,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    /// The calls that AWS executed.
    completed: Vec<String>,
    faults: Vec<Fault>,
    /// The last response to each read.
    reads: HashMap<Vec<u8>, Vec<u8>>,
    /// Connections that were opened before the last call of `silence_connections` have a smaller number.
    silenced: usize,
}

impl FaultProxy {
    /// Starts a proxy in front of the emulated AWS of a deployment.
    pub async fn before(test: &TestApp) -> Self {
        Self::at(test.address, test).await
    }

    /// Starts a proxy in front of an emulated AWS at this address.
    pub async fn at(cloud: SocketAddr, test: &TestApp) -> Self {
        // This socket is bound and never listens: it keeps the port when the proxy does not listen.
        let keeper = socket("127.0.0.1:0".parse().unwrap());
        let shared = Shared {
            address: keeper.local_addr().unwrap(),
            cloud,
            clock: test.clock.clone(),
            state: Mutex::default(),
            should_listen: watch::Sender::new(true),
            is_listening: watch::Sender::new(false),
            recovered: Notify::new(),
            in_progress: AtomicUsize::new(0),
        };
        let proxy = Self(Arc::new(shared));
        let listener = proxy.clone();
        tokio::spawn(async move {
            listener.listen().await;
            drop(keeper);
        });
        proxy.wait_until_listening().await;
        proxy
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Returns all calls since [`arm`](Self::arm), with and without a fault.
    pub fn calls(&self) -> Vec<String> {
        self.0.state.lock().unwrap().calls.clone()
    }

    /// Returns the calls since [`arm`](Self::arm) that AWS executed, including those whose response was lost.
    pub fn completed(&self) -> Vec<String> {
        self.0.state.lock().unwrap().completed.clone()
    }

    /// Restarts the count of calls, and injects these faults from now on.
    pub fn arm(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.0.state.lock().unwrap();
        state.calls.clear();
        state.completed.clear();
        state.faults = faults.into_iter().collect();
    }

    /// Removes all faults, and executes the postponed calls.
    pub async fn stop_failing(&self) {
        self.0.state.lock().unwrap().faults.clear();
        self.0.recovered.notify_waiters();
        self.0.should_listen.send_replace(true);
        self.wait_until_listening().await;
    }

    /// Waits until no call is in progress.
    pub async fn settle(&self) {
        while self.0.in_progress.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Resets all open connections. Accepts new ones.
    pub async fn reset_connections(&self) {
        self.0.should_listen.send_replace(false);
        self.0.is_listening.subscribe().wait_for(|listening| !listening).await.unwrap();
        self.stop_failing().await;
    }

    /// Sends nothing more on the open connections, as if the network had dropped them without a reset.
    pub fn silence_connections(&self) {
        self.0.state.lock().unwrap().silenced += 1;
    }

    async fn wait_until_listening(&self) {
        self.0.is_listening.subscribe().wait_for(|listening| *listening).await.unwrap();
    }

    async fn listen(&self) {
        let mut should_listen = self.0.should_listen.subscribe();
        loop {
            should_listen.wait_for(|listen| *listen).await.unwrap();
            let listener: TcpListener = socket(self.0.address).listen(1024).unwrap();
            self.0.is_listening.send_replace(true);
            loop {
                tokio::select! {
                    connection = listener.accept() => {
                        let proxy = self.clone();
                        tokio::spawn(async move { proxy.serve(connection.unwrap().0).await });
                    }
                    _ = should_listen.wait_for(|listen| !listen) => break,
                }
            }
            drop(listener);
            self.0.is_listening.send_replace(false);
        }
    }

    /// Serves one connection until it ends.
    async fn serve(&self, mut connection: TcpStream) {
        connection.set_nodelay(true).unwrap();
        let mut should_listen = self.0.should_listen.subscribe();
        let opened = self.0.state.lock().unwrap().silenced;
        loop {
            let request = tokio::select! {
                request = Message::read(&mut connection) => request,
                _ = should_listen.wait_for(|listen| !listen) => None,
            };
            let Some(request) = request else { break };
            if self.0.state.lock().unwrap().silenced > opened {
                wait_until_closed(&mut connection).await;
                break;
            }
            self.0.in_progress.fetch_add(1, Ordering::SeqCst);
            let is_sent = match self.respond(&mut connection, &request).await {
                Some(response) => connection.write_all(&response).await.is_ok(),
                None => false,
            };
            self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
            if !is_sent {
                break;
            }
        }
        // Closes the connection with a reset.
        let _ = connection.set_zero_linger();
    }

    /// Returns the response to a call, or `None` if a fault ends the connection.
    async fn respond(&self, connection: &mut TcpStream, request: &Message) -> Option<Vec<u8>> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some((kind, lasting)) = self.next_fault(request.call(&body)) else {
            return Some(self.forward(request).await);
        };
        match kind {
            FaultKind::CloseListener => self.close_listener(lasting),
            FaultKind::ResetBefore => {}
            FaultKind::ResetAfter => drop(self.forward(request).await),
            FaultKind::CutResponse => {
                let response = self.forward(request).await;
                send_before_reset(connection, &response[..response.len() - 3]).await;
            }
            FaultKind::Hang => wait_until_closed(connection).await,
            FaultKind::HangAfter => {
                self.forward(request).await;
                wait_until_closed(connection).await;
            }
            FaultKind::Late => {
                wait_until_closed(connection).await;
                self.forward(request).await;
            }
            FaultKind::Postponed => {
                self.0.recovered.notified().await;
                self.forward(request).await;
            }
            FaultKind::Bytes(bytes) => send_before_reset(connection, bytes.as_bytes()).await,
            FaultKind::Error(status, code) => return Some(error_response(status, code)),
            FaultKind::Slow(milliseconds) => {
                let response = self.forward(request).await;
                sleep(Duration::from_millis(milliseconds)).await;
                return Some(response);
            }
            FaultKind::ClockStep(seconds) => {
                let now = self.0.clock.load(Ordering::SeqCst);
                self.0.clock.store(now.checked_add_signed(seconds).unwrap(), Ordering::SeqCst);
                return Some(self.forward(request).await);
            }
            FaultKind::Stale => {
                let previous = self.0.state.lock().unwrap().reads.get(&item_key(&body)).cloned();
                let response = self.forward(request).await;
                return Some(previous.filter(|_| body["ConsistentRead"] != true).unwrap_or(response));
            }
        }
        None
    }

    /// Counts a call. Returns the kind of its fault, and whether the fault is lasting.
    fn next_fault(&self, call: String) -> Option<(FaultKind, bool)> {
        let mut state = self.0.state.lock().unwrap();
        let count = state.calls.iter().filter(|earlier| **earlier == call).count() + 1;
        let affects = |fault: &&Fault| fault.call == call && (count == fault.nth || count > fault.nth && fault.lasting);
        let fault = state.faults.iter().find(affects).map(|fault| (fault.kind, fault.lasting));
        state.calls.push(call);
        fault
    }

    fn close_listener(&self, lasting: bool) {
        self.0.should_listen.send_replace(false);
        if !lasting {
            let proxy = self.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(120)).await;
                proxy.0.should_listen.send_replace(true);
            });
        }
    }

    /// Sends a call to AWS and returns the response.
    async fn forward(&self, request: &Message) -> Vec<u8> {
        let mut cloud = TcpStream::connect(self.0.cloud).await.unwrap();
        cloud.write_all(&request.bytes()).await.unwrap();
        let response = Message::read(&mut cloud).await.unwrap().bytes();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let call = request.call(&body);
        let mut state = self.0.state.lock().unwrap();
        if call.starts_with("GetItem") {
            state.reads.insert(item_key(&body), response.clone());
        }
        state.completed.push(call);
        response
    }
}

/// Returns the table and the key of a read.
fn item_key(body: &Value) -> Vec<u8> {
    format!("{} {}", body["TableName"], body["Key"]).into_bytes()
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn wait_until_closed(connection: &mut TcpStream) {
    let mut rest = [0; 1024];
    let closed = async { while connection.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
    timeout(Duration::from_mins(1), closed).await.expect("a caller that gives up within a minute");
}

/// Sends bytes and waits until they have arrived, because a reset discards bytes in flight.
async fn send_before_reset(connection: &mut TcpStream, bytes: &[u8]) {
    let _ = connection.write_all(bytes).await;
    sleep(Duration::from_millis(5)).await;
}
