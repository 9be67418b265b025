//! A ClientHello of our own that asks for one version of TLS at the most, and what the server says to it (RFC 2246,
//! RFC 4346, RFC 5246). Nothing is agreed on: the connection ends there.

use crate::enrich::reader::Reader;

/// A version by its number in the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(pub u16);

/// What a server said to a hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It may still become one.
    More,
    /// It takes this version; the certificates that it showed, as far as they came.
    Accepted {
        version: Version,
        certificates: Vec<Vec<u8>>,
        end: End,
    },
    /// It speaks TLS, but not so.
    Refused,
    /// No TLS.
    Other,
}

/// Whether all that we wait for has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Whole,
    MoreMayCome,
}

impl Version {
    pub const SSL_3_0: Self = Self(0x0300);
    pub const TLS_1_0: Self = Self(0x0301);
    pub const TLS_1_1: Self = Self(0x0302);
    pub const TLS_1_2: Self = Self(0x0303);
    pub const TLS_1_3: Self = Self(0x0304);

    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SSL_3_0 => "SSL 3.0",
            Self::TLS_1_0 => "TLS 1.0",
            Self::TLS_1_1 => "TLS 1.1",
            Self::TLS_1_2 => "TLS 1.2",
            Self::TLS_1_3 => "TLS 1.3",
            _ => return None,
        })
    }
}

/// A hello that takes `most` and what is older; `name` is told where it is one of the DNS.
pub fn client(most: Version, name: Option<&str>, random: [u8; 32]) -> Vec<u8> {
    let mut body = most.0.to_be_bytes().to_vec();
    body.extend(random);
    body.push(0);
    body.extend((CIPHERS.len() as u16 * 2).to_be_bytes());
    body.extend(CIPHERS.iter().flat_map(|cipher| cipher.to_be_bytes()));
    body.extend([1, 0]);
    // SSL 3.0 has no extensions.
    if most > Version::SSL_3_0 {
        let extensions = extensions(name);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
    }
    let mut record = vec![HANDSHAKE];
    record.extend(most.0.min(Version::TLS_1_0.0).to_be_bytes());
    record.extend((body.len() as u16 + 4).to_be_bytes());
    record.push(CLIENT_HELLO);
    record.extend(
        (body.len() as u32)
            .to_be_bytes()
            .get(1..)
            .unwrap_or_default(),
    );
    record.extend(body);
    record
}

fn extensions(name: Option<&str>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(name) = name.filter(|name| name.len() < 256) {
        let length = name.len() as u16;
        all.extend([0, 0]);
        for more in [5, 3] {
            all.extend((length + more).to_be_bytes());
        }
        all.push(0);
        all.extend(length.to_be_bytes());
        all.extend(name.as_bytes());
    }
    // Groups: x25519, P-256, P-384, P-521. Points: uncompressed.
    all.extend([0, 10, 0, 10, 0, 8, 0, 29, 0, 23, 0, 24, 0, 25]);
    all.extend([0, 11, 0, 2, 1, 0]);
    // Signatures: ECDSA, RSA-PSS and RSA with SHA-256 to SHA-512, and the old ones with SHA-1.
    let signatures = [
        0x0403_u16, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
    ];
    all.extend([0, 13]);
    all.extend((signatures.len() as u16 * 2 + 2).to_be_bytes());
    all.extend((signatures.len() as u16 * 2).to_be_bytes());
    all.extend(
        signatures
            .iter()
            .flat_map(|signature| signature.to_be_bytes()),
    );
    all
}

/// Reads the answer as far as it came.
pub fn read(bytes: &[u8]) -> Answer {
    let mut records = Reader::new(bytes);
    let mut messages = Vec::new();
    let mut end = End::MoreMayCome;
    while let Some(kind) = records.u8() {
        let (Some(major), Some(_minor)) = (records.u8(), records.u8()) else {
            break;
        };
        if major != 3 || !matches!(kind, HANDSHAKE | ALERT) {
            if messages.is_empty() {
                return Answer::Other;
            }
            break;
        }
        let Some(length) = records.u16() else {
            break;
        };
        let content = match records.part(length.into()) {
            Some(content) => content.rest(),
            None => records.rest(),
        };
        if kind == ALERT {
            if messages.is_empty() {
                return if length == 2 {
                    Answer::Refused
                } else {
                    Answer::Other
                };
            }
            end = End::Whole;
            break;
        }
        messages.extend_from_slice(content);
        if content.len() < length.into() {
            break;
        }
    }
    handshake(&messages, end)
}

fn handshake(messages: &[u8], mut end: End) -> Answer {
    let mut reader = Reader::new(messages);
    let (mut version, mut certificates) = (None, Vec::new());
    while let (Some(kind), Some(length)) = (reader.u8(), reader.u24()) {
        let Some(mut message) = reader.part(length as usize) else {
            break;
        };
        match kind {
            SERVER_HELLO => match message.u16() {
                Some(chosen) if chosen >> 8 == 3 => version = Some(Version(chosen)),
                _ => return Answer::Other,
            },
            CERTIFICATE => {
                certificates = chain(message);
                end = End::Whole;
            }
            SERVER_HELLO_DONE => end = End::Whole,
            _ if version.is_none() => return Answer::Other,
            _ => {}
        }
    }
    match version {
        Some(version) => Answer::Accepted {
            version,
            certificates,
            end,
        },
        None => Answer::More,
    }
}

fn chain(mut message: Reader<'_>) -> Vec<Vec<u8>> {
    let mut certificates = Vec::new();
    let list = message
        .u24()
        .and_then(|length| message.part(length as usize));
    let mut list = list.unwrap_or(Reader::new(b""));
    while let Some(certificate) = list.u24().and_then(|length| list.take(length as usize)) {
        certificates.push(certificate.to_vec());
        if certificates.len() >= MOST_CERTIFICATES {
            break;
        }
    }
    certificates
}

pub(super) const MOST_CERTIFICATES: usize = 8;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;

/// What servers of these versions have ever had: with ECDHE, DHE and RSA; AES, 3DES, RC4; and the signal that renegotiation
/// is safe.
const CIPHERS: [u16; 30] = [
    0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0x009f, 0x009e, 0xc024, 0xc028, 0xc023, 0xc027,
    0xc00a, 0xc014, 0xc009, 0xc013, 0x006b, 0x0067, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c,
    0x0035, 0x002f, 0x000a, 0x0005, 0x0004, 0x00ff,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server_hello(version: u16, certificate: &[u8]) -> Vec<u8> {
        let mut hello = version.to_be_bytes().to_vec();
        hello.extend([7; 32]);
        hello.extend([0, 0xc0, 0x14, 0]);
        let mut messages = vec![SERVER_HELLO, 0, 0, hello.len() as u8];
        messages.extend(hello);
        let length = certificate.len() as u8;
        messages.extend([
            CERTIFICATE,
            0,
            0,
            length + 6,
            0,
            0,
            length + 3,
            0,
            0,
            length,
        ]);
        messages.extend(certificate);
        let mut record = vec![HANDSHAKE, 3, 1];
        record.extend((messages.len() as u16).to_be_bytes());
        record.extend(messages);
        record
    }

    #[test]
    fn what_a_server_may_say() {
        let bytes = server_hello(0x0301, b"certificate");
        let Answer::Accepted {
            version,
            certificates,
            end,
        } = read(&bytes)
        else {
            panic!("not accepted");
        };
        assert_eq!((version, end), (Version::TLS_1_0, End::Whole));
        assert_eq!(certificates, [b"certificate"]);
        assert_eq!(read(&bytes[..20]), Answer::More);
        assert_eq!(read(&[ALERT, 3, 1, 0, 2, 2, 70]), Answer::Refused);
        assert_eq!(read(b"HTTP/1.1 400"), Answer::Other);
        assert_eq!(read(b""), Answer::More);
    }

    #[test]
    fn lengths_of_a_hello_add_up() {
        for version in [Version::SSL_3_0, Version::TLS_1_0, Version::TLS_1_2] {
            let bytes = client(version, Some("host.example"), [1; 32]);
            let mut record = Reader::new(&bytes);
            assert_eq!(record.take(3).map(|head| head[0]), Some(HANDSHAKE));
            let length = record.u16().expect("a length");
            assert_eq!(usize::from(length), record.rest().len());
            record.skip(1).expect("a kind");
            assert_eq!(
                record.u24().expect("a length") as usize,
                record.rest().len()
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(mut bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400) {
            read(&bytes);
            let mut real = server_hello(0x0303, b"abc");
            real.truncate(cut);
            bytes.splice(0..0, real);
            read(&bytes);
        }
    }
}
