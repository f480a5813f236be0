//! Line plots as SVG, for the report: each curve has a colour and, for printing without colours, a shape of its own.

use plotters::coord::Shift;
use plotters::prelude::*;

/// A plot.
pub struct Plot<'a> {
    /// What the horizontal axis counts.
    pub x: &'a str,
    /// What the vertical axis measures.
    pub y: &'a str,
    /// What is drawn.
    pub curves: Vec<Curve>,
}

/// A curve of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// The points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Which of the colours; curves of one colour belong together.
    pub colour: usize,
    /// Whether the line is broken.
    pub is_dashed: bool,
}

/// Told apart by people who see fewer colours, and in grey (Okabe and Ito 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(80, 80, 80),
];

const SIZE: (u32, u32) = (860, 430);

type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

impl Plot<'_> {
    /// The plot as an `<svg>` element; empty if there is nothing to draw.
    ///
    /// # Errors
    /// Those of the drawing library.
    pub fn svg(&self) -> Result<String, String> {
        let points =
            || self.curves.iter().flat_map(|curve| &curve.points).filter(|p| p.0.is_finite() && p.1.is_finite());
        let (xs, ys) = (range(points().map(|p| p.0)), range(points().map(|p| p.1)));
        let (Some((x0, x1)), Some((y0, y1))) = (xs, ys) else { return Ok(String::new()) };
        let x1 = if x1 > x0 { x1 } else { x0 + 1.0 };
        let margin = if y1 > y0 { 0.06 * (y1 - y0) } else { 0.5 };
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            self.draw(&area, (x0, x1), (y0 - margin, y1 + margin)).map_err(|error| error.to_string())?;
        }
        // The size on the page is the page's business; the proportions stay.
        let (width, height) = SIZE;
        Ok(svg.replacen(&format!("width=\"{width}\" height=\"{height}\" "), "", 1))
    }

    fn draw<'b>(
        &self,
        area: &DrawingArea<SVGBackend<'b>, Shift>,
        (x0, x1): (f64, f64),
        (y0, y1): (f64, f64),
    ) -> Result<(), Failed<'b>> {
        let (plot, legend) = area.split_horizontally(SIZE.0 - 210);
        let text = |size: u32| ("sans-serif", size).into_font().color(&BLACK);
        let mut chart = ChartBuilder::on(&plot)
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225))
            .x_labels(9)
            .x_label_formatter(&|x| number(*x, x1 - x0))
            .y_label_formatter(&|y| number(*y, y1 - y0))
            .x_desc(self.x)
            .y_desc(self.y)
            .label_style(text(14))
            .axis_desc_style(text(15))
            .draw()?;
        for (i, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[curve.colour % COLOURS.len()];
            let points: Vec<(f64, f64)> = curve.points.iter().copied().filter(|p| p.1.is_finite()).collect();
            let few = points.len() <= 40;
            if curve.is_dashed {
                chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, colour.stroke_width(2)))?;
            } else {
                chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
            }
            if few {
                for point in points {
                    let at = chart.backend_coord(&point);
                    marker(&plot, at, i, colour)?;
                }
            }
            let y = 26 + 24 * i as i32;
            let strokes = if curve.is_dashed { &[(6, 13), (27, 34)][..] } else { &[(6, 34)] };
            for (from, to) in strokes {
                legend.draw(&PathElement::new(vec![(*from, y), (*to, y)], colour.stroke_width(2)))?;
            }
            if few {
                marker(&legend, (20, y), i, colour)?;
            }
            legend.draw(&Text::new(curve.name.clone(), (42, y - 7), text(14)))?;
        }
        area.present()
    }
}

/// The mark of curve `i` at a place in pixels of the whole picture's left part or of the legend.
fn marker<'b>(
    area: &DrawingArea<SVGBackend<'b>, Shift>,
    (x, y): (i32, i32),
    i: usize,
    colour: RGBColor,
) -> Result<(), Failed<'b>> {
    let fill = colour.filled();
    match i % 4 {
        0 => area.draw(&Circle::new((x, y), 4, fill)),
        1 => area.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], fill)),
        2 => area.draw(&TriangleMarker::new((x, y), 5, fill)),
        _ => area.draw(&Cross::new((x, y), 4, colour.stroke_width(2))),
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .fold(None, |range: Option<(f64, f64)>, v| Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))))
}

/// As few digits as tell the labels of an axis apart that is `span` long; those of a very short one as 2.5e-4.
fn number(x: f64, span: f64) -> String {
    // What rounding has left of zero, and no -0.
    if x.abs() < 1e-6 * span {
        return "0".to_owned();
    }
    let unit = 10f64.powf((span / 1000.0).log10().floor());
    let rounded = (x / unit).round() * unit;
    if span < 1e-3 {
        let text = format!("{rounded:.1e}");
        return text.replace(".0e", "e");
    }
    // Twelve digits are more than an axis has, and leave out what the product adds.
    let text = format!("{rounded:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_become_lines_with_their_names() {
        let curve = |name: &str, is_dashed| Curve {
            name: name.to_owned(),
            points: vec![(0.0, 1.0), (1.0, 3.0), (2.0, f64::NAN), (3.0, 2.0)],
            colour: 0,
            is_dashed,
        };
        let plot = Plot { x: "updates", y: "loss", curves: vec![curve("a & b", false), curve("c", true)] };
        let svg = plot.svg().unwrap();
        assert!(svg.starts_with("<svg viewBox="), "{}", &svg[..80]);
        for wanted in ["updates", "loss", "a &amp; b", "<circle", "<polyline"] {
            assert!(svg.contains(wanted), "{wanted}: {svg}");
        }
        assert_eq!(Plot { x: "", y: "", curves: Vec::new() }.svg().unwrap(), "");
        let one = Curve { points: vec![(1.0, 1.0)], ..curve("one", false) };
        for (x, span, shown) in [
            (2.5e-4, 3e-4, "2.5e-4"),
            (0.0015, 0.0016, "0.0015"),
            (2e-4, 0.0016, "0.0002"),
            (5e-5, 3e-4, "5e-5"),
            (-1e-19, 3e-4, "0"),
            (300_000.0, 1e6, "300000"),
            (0.1 + 0.2, 1.0, "0.3"),
            (-2.5, 10.0, "-2.5"),
        ] {
            assert_eq!(number(x, span), shown);
        }
        assert!(Plot { x: "", y: "", curves: vec![one] }.svg().unwrap().contains("<circle"));
    }
}
