//! A TLS session as bytes in, bytes out, by rustls. Every certificate is accepted, because what is behind it is the question;
//! whether it can be trusted is judged apart. Nothing secret is ever said in it.

use std::io::Write as _;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};

use super::hello::Version;

/// What sessions are made with; made once.
#[derive(Clone, Debug)]
pub struct Client {
    all: Arc<ClientConfig>,
    http: Arc<ClientConfig>,
    none: Arc<ClientConfig>,
}

/// The application protocols that are offered (RFC 7301).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// HTTP/2, and what we can speak.
    All,
    /// What we can speak of HTTP.
    Http1,
    /// Nothing: some servers refuse whoever offers what they do not have.
    Nothing,
}

/// One session.
#[derive(Debug)]
pub struct Session(ClientConnection);

/// Why a session ended before it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// The server speaks TLS, and refused: none of its application protocols was offered.
    NoProtocol,
    /// The server speaks TLS, and refused.
    Refused,
    /// It may be no TLS at all.
    Other,
}

impl Client {
    /// `None` where the library has no cipher to offer.
    pub fn new(now: UnixTime) -> Option<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let made = |protocols: &[&str]| {
            let mut config =
                ClientConfig::builder_with_details(Arc::clone(&provider), Arc::new(Fixed(now)))
                    .with_safe_default_protocol_versions()
                    .ok()?
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Anybody(Arc::clone(&provider))))
                    .with_no_client_auth();
            config.resumption = Resumption::disabled();
            config.alpn_protocols = protocols
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect();
            Some(Arc::new(config))
        };
        Some(Self {
            all: made(&[
                "h2",
                "http/1.1",
                "imap",
                "pop3",
                "ftp",
                "mqtt",
                "dot",
                "postgresql",
            ])?,
            http: made(&["http/1.1"])?,
            none: made(&[])?,
        })
    }

    /// A session with a server of this name or address.
    pub fn session(&self, host: &str, offer: Offer) -> Option<Session> {
        let config = match offer {
            Offer::All => &self.all,
            Offer::Http1 => &self.http,
            Offer::Nothing => &self.none,
        };
        let name = ServerName::try_from(host.to_owned())
            .or_else(|_| ServerName::try_from("halfopen.invalid"));
        let mut connection = ClientConnection::new(Arc::clone(config), name.ok()?).ok()?;
        connection.set_buffer_limit(Some(BUFFER));
        Some(Session(connection))
    }
}

impl Session {
    pub fn is_established(&self) -> bool {
        !self.0.is_handshaking()
    }

    /// What must be sent now.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.wants_write() {
            if !matches!(self.0.write_tls(&mut bytes), Ok(1..)) {
                break;
            }
        }
        bytes
    }

    /// Takes what came, and returns what was said inside.
    ///
    /// # Errors
    /// Where the session is over, or never began; what was said until then stands in `said`.
    pub fn hear(&mut self, mut bytes: &[u8], said: &mut Vec<u8>) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let before = bytes.len();
            self.0.read_tls(&mut bytes).map_err(|_| Broken::Other)?;
            let state = self.0.process_new_packets();
            self.plaintext(said);
            state.map_err(|error| broken(&error))?;
            if bytes.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// Says this inside, once the session is established.
    pub fn say(&mut self, bytes: &[u8]) {
        // What does not fit is more than we ever say.
        let _ = self.0.writer().write_all(bytes);
    }

    pub fn version(&self) -> Option<Version> {
        match self.0.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some(Version::TLS_1_2),
            ProtocolVersion::TLSv1_3 => Some(Version::TLS_1_3),
            _ => None,
        }
    }

    /// The application protocol that the server chose.
    pub fn protocol(&self) -> Option<String> {
        self.0
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// The certificates that the server showed, its own first.
    pub fn certificates(&self) -> Vec<Vec<u8>> {
        let shown = self.0.peer_certificates().unwrap_or_default();
        let bounded = shown.iter().take(super::hello::MOST_CERTIFICATES);
        bounded.map(|certificate| certificate.to_vec()).collect()
    }

    fn plaintext(&mut self, said: &mut Vec<u8>) {
        use std::io::BufRead as _;
        let mut reader = self.0.reader();
        while let Ok(chunk) = reader.fill_buf() {
            if chunk.is_empty() {
                break;
            }
            said.extend_from_slice(chunk);
            let taken = chunk.len();
            reader.consume(taken);
        }
    }
}

fn broken(error: &Error) -> Broken {
    match error {
        Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol)
        | Error::NoApplicationProtocol => Broken::NoProtocol,
        Error::AlertReceived(_) | Error::PeerIncompatible(_) => Broken::Refused,
        _ => Broken::Other,
    }
}

/// The moment of the scan: nothing here reads a clock.
#[derive(Debug)]
struct Fixed(UnixTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// Accepts whoever answers.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// With the old ones too: a server that can do no better is to be seen.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.extend([
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED448,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]);
        schemes.dedup();
        schemes
    }
}

/// Bytes that may wait on each side of a session.
const BUFFER: usize = 64 * 1024;
