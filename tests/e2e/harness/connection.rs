//! HTTP/1.1 on one connection, with nothing that tries again: what the server does to the connection itself is seen.

use std::{collections::HashMap, io};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::Person;

/// One connection to a gateway.
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Received {
    pub status: u16,
    /// Names in small letters.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    /// Whether it says that the connection carries no more requests.
    pub fn is_last(&self) -> bool {
        self.headers.get("connection").is_some_and(|value| value == "close")
    }
}

impl Connection {
    pub async fn open(url: &str) -> io::Result<Self> {
        let host = url.trim_start_matches("http://").to_owned();
        Ok(Self { stream: BufReader::new(TcpStream::connect(&host).await?), host })
    }

    /// Sends a request of a person and reads the answer. An error is a request that got none.
    pub async fn ask(
        &mut self,
        person: &Person,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
        headers: &[(&str, &str)],
    ) -> io::Result<Received> {
        let mut request = format!("{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        request += &format!("Authorization: Bearer {}\r\n", person.token());
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let body = body.map(serde_json::Value::to_string);
        if let Some(body) = &body {
            request += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body.as_deref().unwrap_or_default();
        self.stream.write_all(request.as_bytes()).await?;
        self.receive().await
    }

    async fn receive(&mut self) -> io::Result<Received> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer but {first:?}")))?;
        let mut headers = HashMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(Ok(0), |length| length.parse().map_err(io::Error::other))?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Received { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::Error::other("the connection was closed"));
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits until the server has closed the connection in order, with nothing more said on it.
    pub async fn ended(mut self) -> io::Result<()> {
        match self.stream.read(&mut [0; 1]).await? {
            0 => Ok(()),
            _ => Err(io::Error::other("more was sent behind the last answer")),
        }
    }
}
