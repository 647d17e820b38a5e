//! The connection to a broker, encrypted or not.

use std::io;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::Failure;
use crate::tls::Connector;

/// So much is read at once, in bytes.
const READ: usize = 16 << 10;

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) async fn secure(
        connector: &Connector,
        host: &str,
        stream: TcpStream,
    ) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| Failure::Tls("its name is none"))?;
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Self::Secured(Box::new(stream))),
            Err(err) if err.kind() == io::ErrorKind::InvalidData => Err(Failure::Tls(
                "its certificate is not trusted, or it speaks no TLS",
            )),
            Err(_) => Err(Failure::Closed),
        }
    }

    /// Reads what has come to the end of `into`. May be cut off while it waits.
    pub(super) async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        // Many events with one call.
        into.reserve(READ);
        match self {
            Self::Plain(stream) => stream.read_buf(into).await,
            Self::Secured(stream) => stream.read_buf(into).await,
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secured(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }
}
