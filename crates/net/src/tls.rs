//! Whose certificates are trusted.

use crate::{NetError, NetErrorKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// Whose certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, compiled in.
    Bundled,
    /// The system's store.
    System,
}

/// Authorities trusted beside the [`Roots`], such as a company's own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates(Vec<CertificateDer<'static>>);

impl Certificates {
    /// The certificates of a PEM text; other sections, such as keys, are passed over. `source` is how errors
    /// name it, commonly its path. A text without a certificate, and one whose certificate cannot be used,
    /// is [`NetErrorKind::Tls`].
    pub fn from_pem(source: &str, pem: &[u8]) -> Result<Self, NetError> {
        let bad = |why: String| NetError::new(NetErrorKind::Tls, "", format!("{source} {why}"));
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| bad(format!("is not readable as PEM: {error}")))?;
        if certificates.is_empty() {
            return Err(bad("holds no certificate; a PEM text with `-----BEGIN CERTIFICATE-----` is \
                            needed"
                .to_owned()));
        }
        let mut probe = RootCertStore::empty();
        for (at, certificate) in certificates.iter().enumerate() {
            probe.add(certificate.clone()).map_err(|error| {
                bad(format!("holds a certificate (number {}) that cannot be used: {error}", at + 1))
            })?;
        }
        Ok(Self(certificates))
    }

    /// Adds those of another source.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.len()).finish()
    }
}

/// The TLS of a client that trusts `roots` and `extra`.
pub(crate) fn config(roots: Roots, extra: &Certificates) -> Result<rustls::ClientConfig, NetError> {
    let bad = |why: String| NetError::new(NetErrorKind::Tls, "", format!("no trusted certificates: {why}"));
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            let (usable, _) = store.add_parsable_certificates(found.certs);
            if usable == 0 {
                return Err(bad(format!(
                    "the system's store holds none that can be used {:?}",
                    found.errors
                )));
            }
        }
    }
    for certificate in &extra.0 {
        store.add(certificate.clone()).map_err(|error| bad(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

/// Why a handshake failed, in words that lead out of it where rustls' own do not.
pub(crate) fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by no trusted authority; if it is your own, add that authority's \
             certificate"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_texts() {
        let key = rcgen::KeyPair::generate().unwrap();
        let own =
            rcgen::CertificateParams::new(["ca.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (own, key) = (own.pem(), key.serialize_pem());
        let check = |pem: &str, expect: Result<usize, &str>| match (
            Certificates::from_pem("ca.pem", pem.as_bytes()),
            expect,
        ) {
            (Ok(got), Ok(count)) => assert_eq!(got.len(), count, "{pem}"),
            (Err(error), Err(part)) => {
                assert_eq!(error.kind(), NetErrorKind::Tls);
                let text = error.to_string();
                assert!(text.starts_with("ca.pem ") && text.contains(part), "{pem}: {text}");
            }
            (got, _) => panic!("{pem}: {got:?}"),
        };
        check(&own, Ok(1));
        check(&format!("# ours\n{own}{own}\n{key}"), Ok(2));
        check("", Err("holds no certificate"));
        check(&key, Err("BEGIN CERTIFICATE"));
        check("-----BEGIN CERTIFICATE-----\nAAAA\n", Err("not readable as PEM"));
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", Err("number 1"));
    }
}
