//! Which agency a connection speaks for.

use lottery_core::message::{Code, Refusal, Reply};

/// Which agency a peer with a certificate speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For this agency: it is named `agency-N`.
    Agency(u32),
    /// For no agency. It may ask how far the lottery is.
    Guest,
}

/// Which agency a connection speaks for, and whether it is listened to. Its record keeps it.
#[derive(Debug, Default)]
pub struct Identity {
    pub(super) agency: Option<u32>,
    /// What its certificate says; nothing without TLS.
    certificate: Option<Certificate>,
    /// Whether it waits for the draw.
    pub(super) is_parked: bool,
    /// Whether it was refused, and is told so at the end of the turn.
    pub(super) is_refused: bool,
}

impl Identity {
    /// The agency it speaks for.
    pub fn agency(&self) -> Option<u32> {
        self.agency
    }

    /// Whether its messages must wait: for the draw, or for the end of the turn after a refusal.
    pub fn is_parked(&self) -> bool {
        self.is_parked || self.is_refused
    }

    pub fn note_reply(&mut self, reply: &Reply) {
        if matches!(reply, Reply::DrawHeld | Reply::Winners(_)) {
            self.is_parked = false;
        }
    }

    pub fn certify(&mut self, certificate: Certificate) {
        self.certificate = Some(certificate);
    }

    /// The agency that its certificate names, if it does not speak for it yet.
    pub(super) fn certified_agency(&self) -> Option<u32> {
        match (self.agency, self.certificate) {
            (None, Some(Certificate::Agency(agency))) => Some(agency),
            _ => None,
        }
    }

    pub(super) fn refuse(&mut self) {
        self.agency = None;
        self.is_refused = true;
    }

    /// The agency it speaks for.
    pub(super) fn expect_agency(&self) -> Result<u32, Refusal> {
        let reason = "the agency is not identified yet";
        let unknown = || Refusal::new(Code::OutOfTurn, reason);
        self.agency.ok_or_else(unknown)
    }

    /// Says that it may speak for `agency`.
    pub(super) fn expect_not_another(&self, agency: u32) -> Result<(), Refusal> {
        let reason = match (self.agency, self.certificate) {
            (Some(known), _) if known != agency => {
                format!("agency {agency} on the connection of agency {known}")
            }
            (_, Some(Certificate::Agency(known))) if known != agency => {
                format!("agency {agency} with the certificate of agency {known}")
            }
            (_, Some(Certificate::Guest)) => {
                format!("agency {agency} with a certificate that names no agency")
            }
            _ => return Ok(()),
        };
        Err(Refusal::new(Code::WrongAgency, reason))
    }
}
