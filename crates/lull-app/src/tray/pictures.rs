//! The pictures of the tray, from icons/, in the sizes that panels ask for.

use ksni::Icon as Pixmap;
use lull_desktop::Icon;

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
pub(super) fn of(icon: Icon) -> Vec<Pixmap> {
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

/// As D-Bus wants it: four bytes for each point, transparency first.
fn decoded(file: &[u8]) -> Option<Pixmap> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().ok()?;
    let mut data = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut data).ok()?;
    data.truncate(frame.buffer_size());
    if frame.color_type != png::ColorType::Rgba {
        return None;
    }
    for point in data.chunks_exact_mut(4) {
        point.rotate_right(1);
    }
    Some(Pixmap { width: frame.width.try_into().ok()?, height: frame.height.try_into().ok()?, data })
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
                assert_eq!(picture.data.len(), 4 * usize::try_from(picture.width * picture.height).unwrap_or(0));
                // Light against dark, and without its colours.
                let shape: Vec<u8> =
                    picture.data.chunks_exact(4).map(|p| if p[0] > 127 && p[2] > 127 { 1 } else { 0 }).collect();
                assert!(shape.contains(&1) && shape.contains(&0), "{icon:?} is empty");
                assert!(seen.insert(shape), "{icon:?} looks like another");
            }
        }
    }
}
