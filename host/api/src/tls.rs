//! A certificate and its key -> connections that nobody on the way can read. rustls does all of it, with the provider that
//! `doors` has for requests outwards.
//!
//! The files are read again when whoever runs the server says so (SIGHUP): a certificate that was renewed is shown to the next
//! connection, and one that cannot be read changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};
use types::Fault;

/// The protocols that a connection may agree on.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What connections are encrypted with.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Of PEM files: a chain of certificates, the server's first, and the private key of that one.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Fault> {
        let config = RwLock::new(config(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), config })
    }

    /// Reads the files again, for connections to come.
    pub fn reload(&self) -> Result<(), Fault> {
        let config = config(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Agrees with a client on how to go on. The error is the client's.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> std::io::Result<TlsStream<S>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Fault> {
    let unusable = |what: &str, path: &Path, why: &dyn std::fmt::Display| {
        Fault::invalid(format!("cannot use the {what} `{}`: {why}", path.display()))
    };
    let of_chain =
        |why: &dyn std::fmt::Display| unusable("certificate", certificate, why).hinted("expected a PEM file");
    let of_key = |why: &dyn std::fmt::Display| unusable("key", key, why).hinted("expected a PEM file");
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| of_chain(&error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| of_chain(&error))?;
    if chain.is_empty() {
        return Err(of_chain(&"there is none in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of_key(&error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map_err(Fault::host)?
        .with_no_client_auth();
    let mut config = builder.with_single_cert(chain, private).map_err(|error| of_key(&error))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections;
    use axum::Router;
    use axum::routing::get;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    /// A certificate of our own for `localhost`, in files; gives it back.
    fn certified(folder: &Path) -> (PathBuf, PathBuf, CertificateDer<'static>) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, cert.pem()).unwrap();
        std::fs::write(&key, signing_key.serialize_pem()).unwrap();
        (certificate, key, cert.der().clone())
    }

    /// What a client that trusts one certificate alone is told.
    async fn ask(to: std::net::SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(rustls::DEFAULT_VERSIONS).unwrap();
        let connector = TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, TcpStream::connect(to).await?).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_client_reads_an_answer_and_a_renewed_certificate_is_shown_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key, first) = certified(folder.path());
        let tls = Arc::new(Tls::load(&certificate, &key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "hello" }));
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(connections::serve(listener, Some(Arc::clone(&tls)), router, None, stopped));
        assert!(ask(to, &first).await.unwrap().ends_with("hello"));
        let (.., second) = certified(folder.path());
        assert!(ask(to, &second).await.is_err(), "nobody has said to read it");
        tls.reload().unwrap();
        assert!(ask(to, &second).await.unwrap().ends_with("hello"));
        assert!(ask(to, &first).await.is_err());
        std::fs::write(&certificate, "no certificate").unwrap();
        let fault = tls.reload().unwrap_err();
        assert!(fault.message.contains("cert.pem`: there is none in it"), "{fault}");
        assert!(ask(to, &second).await.unwrap().ends_with("hello"), "what was there stays");
        let mut plain = TcpStream::connect(to).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        plain.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP"), "nothing is said in the clear");
        stop.send_replace(true);
        serving.await.unwrap();
    }

    #[test]
    fn files_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key, _) = certified(folder.path());
        let absent = folder.path().join("absent.pem");
        for (certificate, key, says) in
            [(&absent, &key, "cannot use the certificate"), (&certificate, &absent, "cannot use the key")]
        {
            let Err(fault) = Tls::load(certificate, key) else { panic!("{says}") };
            assert!(fault.message.contains(says) && fault.message.contains("absent.pem"), "{fault}");
        }
        let Err(fault) = Tls::load(&certificate, &certificate) else { panic!("no key") };
        assert!(fault.message.contains("cannot use the key"), "{fault}");
    }
}
