use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256 as Kem,
};
use lull_wire::{
    Signed,
    frame::{self, LENGTH_BYTES},
    job::{Grant, QUESTION_BYTES_MAX, Question},
};
use zeroize::Zeroizing;

use crate::{
    AnswerOpener, AnswerSealer, EphemeralKey, SealError, SealingKey,
    answer::AnswerKey,
    keys,
    padding::{pad, unpad},
};

const INFO_DOMAIN: &[u8] = b"lull question 1\0";
const ANSWER_EXPORT: &[u8] = b"lull answer 1";
const ENCAPPED_BYTES: usize = 32;

fn info(grant: &Signed<Grant>) -> Vec<u8> {
    [INFO_DOMAIN, grant.bytes()].concat()
}

/// Seals a question to a lender's key, under a grant: the whole frame, its length in front, and what opens the answer.
///
/// # Errors
/// [`SealError::TooLong`] when the question is over its bound; [`SealError::Broken`] when the lender's key is no key.
pub fn seal_question(
    grant: &Signed<Grant>,
    lender_key: &[u8; 32],
    mine: &EphemeralKey,
    question: &Question,
) -> Result<(Vec<u8>, AnswerOpener), SealError> {
    let plain = Zeroizing::new(frame::encode(question, QUESTION_BYTES_MAX).map_err(|_| SealError::TooLong)?);
    let padded = pad(&plain[LENGTH_BYTES..])?;
    let mode = OpModeS::Auth((mine.private.clone(), mine.key.clone()));
    let (encapped, mut context) =
        hpke::setup_sender::<ChaCha20Poly1305, HkdfSha256, Kem>(&mode, &keys::public(lender_key)?, &info(grant))
            .map_err(|_| SealError::Broken)?;
    let sealed = context.seal(&padded, &[]).map_err(|_| SealError::TooLong)?;
    let body = ENCAPPED_BYTES + sealed.len();
    let length = u32::try_from(body).ok().filter(|_| body <= QUESTION_BYTES_MAX).ok_or(SealError::TooLong)?;
    let mut whole = Vec::with_capacity(LENGTH_BYTES + body);
    whole.extend_from_slice(&length.to_le_bytes());
    whole.extend_from_slice(&encapped.to_bytes());
    whole.extend_from_slice(&sealed);
    let mut key = AnswerKey::default();
    context.export(ANSWER_EXPORT, key.as_mut()).map_err(|_| SealError::Broken)?;
    Ok((whole, AnswerOpener::new(&key)))
}

/// Opens a question: the body of the frame that [`seal_question`] made, with the key that the grant names.
///
/// # Errors
/// [`SealError::Broken`] unless it was sealed to this key, with the submitter's key, under exactly this grant;
/// [`SealError::Malformed`] when what is inside is not a question.
pub fn open_question(
    grant: &Signed<Grant>,
    submitter_key: &[u8; 32],
    body: &[u8],
    mine: &SealingKey,
) -> Result<(Question, AnswerSealer), SealError> {
    let (encapped, sealed) = body.split_first_chunk::<ENCAPPED_BYTES>().ok_or(SealError::Malformed)?;
    let encapped = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapped).map_err(|_| SealError::Broken)?;
    let mode = OpModeR::Auth(keys::public(submitter_key)?);
    let mut context =
        hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, Kem>(&mode, &mine.private, &encapped, &info(grant))
            .map_err(|_| SealError::Broken)?;
    let padded = Zeroizing::new(context.open(sealed, &[]).map_err(|_| SealError::Broken)?);
    let question = frame::decode(unpad(&padded)?).map_err(|_| SealError::Malformed)?;
    let mut key = AnswerKey::default();
    context.export(ANSWER_EXPORT, key.as_mut()).map_err(|_| SealError::Broken)?;
    Ok((question, AnswerSealer::new(&key)))
}
