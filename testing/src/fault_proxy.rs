//! A proxy between the service and its cloud that breaks one call of a kind, or all from that one on: on the socket
//! itself, where connections are refused, reset and cut.

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

use crate::deployment::TestApp;

mod fault;

pub use fault::{Fault, Verb};

#[derive(Clone)]
pub struct FaultProxy(Arc<Inside>);

struct Inside {
    address: SocketAddr,
    cloud: SocketAddr,
    clock: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Whether it is to listen, and whether it does.
    wanted: watch::Sender<bool>,
    listening: watch::Sender<bool>,
    /// Wakes the calls that are postponed.
    mended: Notify,
    /// Calls that it has not done with, though their caller may have.
    busy: AtomicUsize,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    /// The calls that were passed on to the cloud.
    done: Vec<String>,
    faults: Vec<Fault>,
    /// The last response to each read.
    read: HashMap<Vec<u8>, Vec<u8>>,
    /// How often connections were forgotten.
    forgotten: usize,
}

impl FaultProxy {
    pub async fn before(test: &TestApp) -> Self {
        Self::at(test.address, test).await
    }

    /// Before a cloud at this address.
    pub async fn at(cloud: SocketAddr, test: &TestApp) -> Self {
        // Bound and never listening: the port stays ours, and connections to it are refused.
        let keeper = socket("127.0.0.1:0".parse().unwrap());
        let address = keeper.local_addr().unwrap();
        let inside = Inside {
            address,
            cloud,
            clock: test.clock.clone(),
            state: Mutex::default(),
            wanted: watch::Sender::new(true),
            listening: watch::Sender::new(false),
            mended: Notify::new(),
            busy: AtomicUsize::new(0),
        };
        let proxy = Self(Arc::new(inside));
        let listener = proxy.clone();
        tokio::spawn(async move {
            listener.listen().await;
            drop(keeper);
        });
        proxy.is_listening().await;
        proxy
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The calls so far, whatever became of them.
    pub fn calls(&self) -> Vec<String> {
        self.0.state.lock().unwrap().calls.clone()
    }

    /// The calls so far that were done, even if their responses were lost.
    pub fn done(&self) -> Vec<String> {
        self.0.state.lock().unwrap().done.clone()
    }

    /// From now on, counts calls from zero and breaks those that these faults name.
    pub fn arm(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.0.state.lock().unwrap();
        state.calls.clear();
        state.done.clear();
        state.faults = faults.into_iter().collect();
    }

    /// From now on, lets everything through again.
    pub async fn stop_failing(&self) {
        self.0.state.lock().unwrap().faults.clear();
        self.0.mended.notify_waiters();
        self.0.wanted.send_replace(true);
        self.is_listening().await;
    }

    /// Waits until the last late call has been done.
    pub async fn settle(&self) {
        while self.0.busy.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Resets every connection that there is. New ones are welcome.
    pub async fn reset_connections(&self) {
        self.0.wanted.send_replace(false);
        self.0.listening.subscribe().wait_for(|listening| !listening).await.unwrap();
        self.stop_failing().await;
    }

    /// From now on, says nothing on the connections that there are, as if the network had forgotten them.
    pub fn forget_connections(&self) {
        self.0.state.lock().unwrap().forgotten += 1;
    }

    async fn is_listening(&self) {
        self.0.listening.subscribe().wait_for(|listening| *listening).await.unwrap();
    }

    async fn listen(&self) {
        let mut wanted = self.0.wanted.subscribe();
        loop {
            wanted.wait_for(|wanted| *wanted).await.unwrap();
            let listener: TcpListener = socket(self.0.address).listen(1024).unwrap();
            self.0.listening.send_replace(true);
            loop {
                tokio::select! {
                    connection = listener.accept() => {
                        let proxy = self.clone();
                        tokio::spawn(async move { proxy.serve(connection.unwrap().0).await });
                    }
                    _ = wanted.wait_for(|wanted| !wanted) => break,
                }
            }
            drop(listener);
            self.0.listening.send_replace(false);
        }
    }

    /// Serves one connection to its end.
    async fn serve(&self, mut connection: TcpStream) {
        connection.set_nodelay(true).unwrap();
        let mut wanted = self.0.wanted.subscribe();
        let forgotten = self.0.state.lock().unwrap().forgotten;
        loop {
            let request = tokio::select! {
                request = message(&mut connection) => request,
                _ = wanted.wait_for(|wanted| !wanted) => None,
            };
            let Some(request) = request else { break };
            if self.0.state.lock().unwrap().forgotten > forgotten {
                given_up(&mut connection).await;
                break;
            }
            self.0.busy.fetch_add(1, Ordering::SeqCst);
            let goes_on = self.pass(&mut connection, &request).await;
            self.0.busy.fetch_sub(1, Ordering::SeqCst);
            if goes_on.is_none() {
                break;
            }
        }
        // A reset, and no orderly end.
        let _ = connection.set_zero_linger();
    }

    /// Passes one call on, or does to it what the fault says; `None` if the connection ends by that.
    async fn pass(&self, connection: &mut TcpStream, request: &Message) -> Option<()> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match self.verb(request, &body) {
            None => connection.write_all(&self.forward(request).await).await.ok(),
            Some((Verb::Refuse, lasting)) => {
                self.0.wanted.send_replace(false);
                if !lasting {
                    let proxy = self.clone();
                    tokio::spawn(async move {
                        sleep(Duration::from_millis(120)).await;
                        proxy.0.wanted.send_replace(true);
                    });
                }
                None
            }
            Some((Verb::ResetBefore, _)) => None,
            Some((Verb::ResetAfter, _)) => {
                self.forward(request).await;
                None
            }
            Some((Verb::CutResponse, _)) => {
                let response = self.forward(request).await;
                let _ = connection.write_all(&response[..response.len() - 3]).await;
                // So that what was written arrives before the reset.
                sleep(Duration::from_millis(5)).await;
                None
            }
            Some((Verb::Hang, _)) => {
                given_up(connection).await;
                None
            }
            Some((Verb::HangAfter, _)) => {
                self.forward(request).await;
                given_up(connection).await;
                None
            }
            Some((Verb::Late, _)) => {
                given_up(connection).await;
                self.forward(request).await;
                None
            }
            Some((Verb::Slow(milliseconds), _)) => {
                let response = self.forward(request).await;
                sleep(Duration::from_millis(milliseconds)).await;
                connection.write_all(&response).await.ok()
            }
            Some((Verb::Postponed, _)) => {
                self.0.mended.notified().await;
                self.forward(request).await;
                None
            }
            Some((Verb::Error(status, code), _)) => {
                let body =
                    format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"a fault\"}}");
                let head = "content-type: application/x-amz-json-1.0";
                let response =
                    format!("HTTP/1.1 {status} Fault\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                connection.write_all(response.as_bytes()).await.ok()
            }
            Some((Verb::Bytes(bytes), _)) => {
                let _ = connection.write_all(bytes.as_bytes()).await;
                sleep(Duration::from_millis(5)).await;
                None
            }
            Some((Verb::Step(seconds), _)) => {
                let now = self.0.clock.load(Ordering::SeqCst);
                self.0.clock.store(now.checked_add_signed(seconds).unwrap(), Ordering::SeqCst);
                connection.write_all(&self.forward(request).await).await.ok()
            }
            Some((Verb::Stale, _)) => {
                let before = self.0.state.lock().unwrap().read.get(&key(&body)).cloned();
                let response = self.forward(request).await;
                let response = before.filter(|_| body["ConsistentRead"] != true).unwrap_or(response);
                connection.write_all(&response).await.ok()
            }
        }
    }

    /// Counts a call, and says what becomes of it.
    fn verb(&self, request: &Message, body: &Value) -> Option<(Verb, bool)> {
        let call = request.call(body);
        let mut state = self.0.state.lock().unwrap();
        state.calls.push(call.clone());
        let count = state.calls.iter().filter(|known| **known == call).count();
        let breaks = |fault: &&Fault| count == fault.nth || count > fault.nth && fault.lasting;
        let fault = state.faults.iter().filter(|fault| fault.call == call).find(breaks)?;
        Some((fault.verb, fault.lasting))
    }

    /// Has the cloud do a call, and yields its response.
    async fn forward(&self, request: &Message) -> Vec<u8> {
        let mut cloud = TcpStream::connect(self.0.cloud).await.unwrap();
        cloud.write_all(&request.bytes()).await.unwrap();
        let response = message(&mut cloud).await.unwrap().bytes();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let call = request.call(&body);
        let mut state = self.0.state.lock().unwrap();
        if call.starts_with("GetItem") {
            state.read.insert(key(&body), response.clone());
        }
        state.done.push(call);
        response
    }
}

/// A read by what it reads, and not by how.
fn key(body: &Value) -> Vec<u8> {
    format!("{} {}", body["TableName"], body["Key"]).into_bytes()
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// Waits until the other side has closed.
async fn given_up(connection: &mut TcpStream) {
    let mut rest = [0; 1024];
    let closed = async { while connection.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
    timeout(Duration::from_mins(1), closed).await.expect("whoever waits gives up before that");
}

/// A request or an response of HTTP/1.1, to the letter.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = str::from_utf8(&self.head).unwrap().lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The operation and its table.
    fn call(&self, body: &Value) -> String {
        let target = self.header("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let table = body["TableName"].as_str().unwrap_or_default();
        format!("{operation} {table}").trim_end().to_owned()
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.body].concat()
    }
}

/// Reads one message; `None` at the end of the connection.
async fn message(connection: &mut TcpStream) -> Option<Message> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let count = connection.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&buffer[..count]);
    };
    let body = head.split_off(end);
    let mut message = Message { head, body };
    let length: usize = message.header("content-length").expect("whoever speaks here says how long").parse().unwrap();
    while message.body.len() < length {
        let count = connection.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        message.body.extend_from_slice(&buffer[..count]);
    }
    Some(message)
}
