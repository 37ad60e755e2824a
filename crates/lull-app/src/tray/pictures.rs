//! The pictures of the tray, from icons/, in the sizes that panels ask for.

use lull_desktop::Icon;

/// A picture: four bytes for each point, row by row, red, green, blue and how much of it covers what is behind.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgba: Vec<u8>,
}

macro_rules! pictures {
    ($name:literal) => {
        [
            include_bytes!(concat!("../../../../icons/png/tray-", $name, "-22.png")),
            include_bytes!(concat!("../../../../icons/png/tray-", $name, "-32.png")),
            include_bytes!(concat!("../../../../icons/png/tray-", $name, "-48.png")),
            include_bytes!(concat!("../../../../icons/png/tray-", $name, "-64.png")),
        ] as [&[u8]; 4]
    };
}

/// The picture of a state, small to large.
pub(super) fn of(icon: Icon) -> Vec<Picture> {
    let files = match icon {
        Icon::Off => pictures!("off"),
        Icon::Waiting => pictures!("waiting"),
        Icon::Lending => pictures!("lending"),
        Icon::Yielding => pictures!("yielding"),
        Icon::Paused => pictures!("paused"),
        Icon::Attention => pictures!("attention"),
    };
    files.into_iter().filter_map(decoded).collect()
}

fn decoded(file: &[u8]) -> Option<Picture> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().ok()?;
    let mut rgba = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut rgba).ok()?;
    rgba.truncate(frame.buffer_size());
    let rgba = (frame.color_type == png::ColorType::Rgba).then_some(rgba)?;
    Some(Picture { width: frame.width, height: frame.height, rgba })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_shape_of_its_own_in_every_size() {
        let icons = [Icon::Off, Icon::Waiting, Icon::Lending, Icon::Yielding, Icon::Paused, Icon::Attention];
        let mut seen = std::collections::BTreeSet::new();
        for icon in icons {
            let pictures = of(icon);
            assert_eq!(pictures.iter().map(|picture| picture.width).collect::<Vec<_>>(), [22, 32, 48, 64], "{icon:?}");
            for picture in pictures {
                assert_eq!(picture.rgba.len(), 4 * usize::try_from(picture.width * picture.height).unwrap_or(0));
                // Light against dark, and without its colours.
                let shape: Vec<u8> =
                    picture.rgba.chunks_exact(4).map(|p| if p[3] > 127 && p[1] > 127 { 1 } else { 0 }).collect();
                assert!(shape.contains(&1) && shape.contains(&0), "{icon:?} is empty");
                assert!(seen.insert(shape), "{icon:?} looks like another");
            }
        }
    }
}
