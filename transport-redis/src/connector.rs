//! How a byte stream to the server is opened. A test may open it over a simulated network.

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::config::{ConfigError, Endpoint, RedisConfig};

/// A stream of bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// Opens streams to one server.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Opens a stream. The transport bounds how long it may take.
    async fn open(&self) -> io::Result<Box<dyn ByteStream>>;
}

/// The connector for an endpoint.
pub(crate) fn for_config(config: &RedisConfig) -> Result<Arc<dyn Connector>, ConfigError> {
    Ok(match &config.endpoint {
        Endpoint::Tcp { host, port } => Arc::new(Tcp { host: host.clone(), port: *port }),
        Endpoint::Unix { path } => Arc::new(Unix { path: path.clone() }),
        Endpoint::Tls { host, port } => {
            let name = ServerName::try_from(host.clone()).map_err(|_| {
                ConfigError::Certificates { problem: "the host is no server name".to_owned() }
            })?;
            let tcp = Tcp { host: host.clone(), port: *port };
            Arc::new(Tls { tcp, name, connector: tls(config.ca_pem.as_deref())? })
        }
    })
}

#[derive(Debug)]
struct Tcp {
    host: String,
    port: u16,
}

impl Tcp {
    async fn stream(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[async_trait]
impl Connector for Tcp {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(Box::new(self.stream().await?))
    }
}

struct Tls {
    tcp: Tcp,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for Tls {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        let stream = self.tcp.stream().await?;
        Ok(Box::new(self.connector.connect(self.name.clone(), stream).await?))
    }
}

fn tls(ca_pem: Option<&[u8]>) -> Result<TlsConnector, ConfigError> {
    let bad = |problem: String| ConfigError::Certificates { problem };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default()) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("the system has none, and none were given as PEM".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[derive(Debug)]
struct Unix {
    path: std::path::PathBuf,
}

#[async_trait]
impl Connector for Unix {
    async fn open(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(Box::new(UnixStream::connect(&self.path).await?))
    }
}
