//! The PHC string format: `$id[$v=version]$name=number,..$salt$output`, with salt and output in base64 without padding.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The shortest output that the format allows. With fewer bytes, too many wrong passwords would match.
const MIN_OUTPUT_BYTES: usize = 10;

/// The parts of a hash in the PHC string format.
pub(super) struct Phc<'a> {
    pub id: &'a str,
    pub version: Option<u32>,
    pub salt: Vec<u8>,
    pub output: Vec<u8>,
    params: Vec<(&'a str, u32)>,
}

impl<'a> Phc<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.strip_prefix('$')?.split('$').peekable();
        let id = fields.next()?;
        let version = fields.next_if(|field| field.starts_with("v="));
        let version = version.map(|version| version.trim_start_matches("v=").parse()).transpose().ok()?;
        let [params, salt, output] = fields.collect::<Vec<_>>().try_into().ok()?;
        let params = params.split(',').map(|param| {
            let (name, number) = param.split_once('=')?;
            Some((name, number.parse().ok()?))
        });
        let output = STANDARD_NO_PAD.decode(output).ok().filter(|output| output.len() >= MIN_OUTPUT_BYTES)?;
        let salt = STANDARD_NO_PAD.decode(salt).ok()?;
        Some(Self { id, version, salt, output, params: params.collect::<Option<_>>()? })
    }

    /// Returns the values of these parameters if the hash has exactly these. The hash may also have the parameter `l`,
    /// the length of its output, if that is correct.
    pub fn params<const N: usize>(&self, names: [&str; N]) -> Option<[u32; N]> {
        let find = |name| self.params.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
        let length = find("l");
        if length.is_some_and(|length| usize::try_from(length) != Ok(self.output.len()))
            || self.params.len() != N + usize::from(length.is_some())
        {
            return None;
        }
        names.into_iter().map(find).collect::<Option<Vec<_>>>()?.try_into().ok()
    }
}
