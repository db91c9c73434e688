//! QR codes, drawn here: as SVG for a page, as PNG in a data URL for programs. What stands in one is a
//! secret, so none is fetched from anywhere, kept, or logged. Not here: what stands in it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fast_qr::{ECL, QRBuilder};

/// The light edge that readers look for, in modules (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;
/// How many pixels of a PNG a module is wide: a code of usual length is about as wide as a thumb.
const SCALE: usize = 4;

/// The code as an SVG element that is as wide as its container. It is black on white in a dark scheme
/// too, because not every reader knows an inverted code. `None` where the text is longer than a code
/// holds, which is 2,331 bytes.
pub fn svg(text: &str) -> Option<String> {
    let modules = Modules::of(text)?;
    let side = modules.side();
    let mut path = String::new();
    for y in 0..side {
        for (x, length) in modules.runs(y) {
            // Writing to a string does not fail.
            write!(path, "M{x} {y}h{length}v1h-{length}z").ok()?;
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"QR code\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// The code as a `data:image/png;base64,…` address. `None` as in [`svg`].
pub fn png_data_url(text: &str) -> Option<String> {
    let modules = Modules::of(text)?;
    let side = modules.side() * SCALE;
    let mut pixels = Vec::with_capacity(side * side.div_ceil(8));
    for y in 0..side {
        for x in (0..side).step_by(8) {
            let light = |bit: &usize| !modules.is_dark((x + bit) / SCALE, y / SCALE);
            // The first pixel is the highest bit, and a set one is white.
            pixels.push((0..8).filter(light).fold(0_u8, |byte, bit| byte | 0x80 >> bit));
        }
    }
    let mut file = Vec::new();
    let width = u32::try_from(side).ok()?;
    let mut encoder = png::Encoder::new(&mut file, width, width);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some(format!("data:image/png;base64,{}", BASE64.encode(file)))
}

/// The squares of a code with its quiet edge.
struct Modules(Box<fast_qr::QRCode>);

impl Modules {
    fn of(text: &str) -> Option<Self> {
        QRBuilder::new(text).ecl(ECL::M).build().ok().map(|code| Self(Box::new(code)))
    }

    fn side(&self) -> usize {
        self.0.size + 2 * QUIET
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else { return false };
        let is_inside = x < self.0.size && y < self.0.size;
        is_inside && self.0.data.get(y * self.0.size + x).is_some_and(|module| module.value())
    }

    /// Where dark modules lie side by side in a row, and how many.
    fn runs(&self, y: usize) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for x in (0..self.side()).filter(|x| self.is_dark(*x, y)) {
            match runs.last_mut() {
                Some((start, length)) if *start + *length == x => *length += 1,
                Some(_) | None => runs.push((x, 1)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts whose codes are of several sizes; the last but one is as long as an address of ours gets.
    fn texts() -> Vec<String> {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let url = |account: &str| {
            format!(
                "otpauth://totp/Portcullis:{account}?secret={secret}&issuer=Portcullis\
                 &algorithm=SHA1&digits=6&period=30"
            )
        };
        vec![
            "A".to_owned(),
            url("jo%40example.org"),
            url("j%C3%B6rg%2Bfield%40example.org"),
            url(&"%C3%B6".repeat(254)),
            "x".repeat(2_331),
        ]
    }

    #[test]
    fn another_reader_reads_the_svg() {
        for text in texts() {
            let svg = svg(&text).unwrap();
            let (side, dark) = drawn(&svg);
            assert_eq!(read(side, |x, y| dark.contains(&(x, y))), text);
        }
    }

    #[test]
    fn another_reader_reads_the_png() {
        for text in texts() {
            let url = png_data_url(&text).unwrap();
            let file = BASE64.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
            let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
            decoder.set_transformations(png::Transformations::EXPAND);
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!(info.width, info.height);
            let side = info.width as usize;
            assert_eq!(read(side, |x, y| pixels[y * side + x] == 0), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let long = "x".repeat(2_332);
        assert!(svg(&long).is_none() && png_data_url(&long).is_none());
    }

    /// The side and the dark squares of a drawing, from its path alone.
    fn drawn(svg: &str) -> (usize, std::collections::HashSet<(usize, usize)>) {
        let between = |from: &str, to: &str| {
            let (_, rest) = svg.split_once(from).unwrap();
            rest.split_once(to).unwrap().0.to_owned()
        };
        let side = between("viewBox=\"0 0 ", " ").parse().unwrap();
        let mut dark = std::collections::HashSet::new();
        for run in between("fill=\"#000\" d=\"M", "\"").split('M') {
            let (place, rest) = run.split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split_once("v1h-").unwrap().0.parse().unwrap();
            dark.extend((x..x + length).map(|x| (x, y)));
        }
        (side, dark)
    }

    /// What a reader makes of a picture, of whose pixels it is told which are dark.
    fn read(side: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
        let enlarged = if side < 200 { 4 } else { 1 };
        let mut image =
            rqrr::PreparedImage::prepare_from_bitmap(side * enlarged, side * enlarged, |x, y| {
                is_dark(x / enlarged, y / enlarged)
            });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }
}
