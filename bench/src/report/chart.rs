//! Line charts as SVG.
//!
//! They have no background, and colours of middle brightness that are legible on a white page and
//! on a dark one: a page that shows an image cannot tell it which of the two it is.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 104.0;
const RIGHT: f64 = 44.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 52.0;

/// Of text and axes.
const GREY: &str = "#7d8590";

/// Of the series, in order: distinct for the colour-blind too, by brightness and by marks.
const COLOURS: [&str; 6] = [
    "#2f81f7", "#e0812b", "#2da44e", "#bf5af2", "#d1242f", "#8a7a00",
];

/// The most points of a line that are marked one by one; more are a curve.
const MARKED_POINTS_MAX: usize = 10;

/// How far the ranges of the series stand apart, so that none hides another, in pixels.
const RANGE_OFFSET: f64 = 5.0;

/// Width of a character of the legend, roughly, in pixels.
const LEGEND_CHARACTER: f64 = 6.9;

/// An axis, from its first tick to its last.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows.
    pub label: &'static str,
    /// Whether equal distances are equal factors.
    pub is_logarithmic: bool,
    /// Where it is marked, ascending, and with what.
    pub ticks: Vec<(f64, String)>,
}

/// A line through points.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

/// A point, and how far its measurements lay apart.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Where, on the horizontal axis.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// The smallest and the largest value, when they are to be shown.
    pub range: Option<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Its title.
    pub title: &'static str,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// Levels to be compared with, and what they are.
    pub levels: Vec<(f64, String)>,
}

impl Axis {
    /// An axis with ticks at `step`, twice that, and so on, from zero until they cover `max`.
    pub fn linear(label: &'static str, max: f64, show: impl Fn(f64) -> String) -> Axis {
        let step = round_step(max / 5.0);
        let count = (max / step).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|tick| f64::from(tick) * step);
        Axis {
            label,
            is_logarithmic: false,
            ticks: ticks.map(|at| (at, show(at))).collect(),
        }
    }

    /// An axis with a tick at each power of ten from below `min` to above `max`.
    pub fn logarithmic(
        label: &'static str,
        min: f64,
        max: f64,
        show: impl Fn(f64) -> String,
    ) -> Axis {
        let (first, last) = (min.log10().floor() as i32, max.log10().ceil() as i32);
        let ticks = (first..=last.max(first + 1)).map(|power| 10_f64.powi(power));
        Axis {
            label,
            is_logarithmic: true,
            ticks: ticks.map(|at| (at, show(at))).collect(),
        }
    }

    /// Where a value is, from 0 at the first tick to 1 at the last.
    fn share(&self, value: f64) -> f64 {
        let scaled = |value: f64| {
            if self.is_logarithmic {
                value.log10()
            } else {
                value
            }
        };
        let ends = (self.ticks.first(), self.ticks.last());
        let (Some((first, _)), Some((last, _))) = ends else {
            return 0.0;
        };
        let (first, last) = (scaled(*first), scaled(*last));
        ((scaled(value) - first) / (last - first)).clamp(0.0, 1.0)
    }
}

/// The next larger of 1, 2 and 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.max(f64::MIN_POSITIVE).log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

impl Chart {
    /// The chart as an SVG file.
    pub fn render(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{GREY}\">\n\
             <title>{title}</title>\n\
             <text x=\"{LEFT}\" y=\"26\" font-size=\"16\" font-weight=\"600\">{title}</text>\n",
            title = escaped(self.title),
        );
        self.draw_legend(&mut svg);
        self.draw_axes(&mut svg);
        for (value, name) in &self.levels {
            let y = self.y_of(*value);
            let style = "stroke-dasharray=\"6 5\"";
            line(&mut svg, (LEFT, y), (WIDTH - RIGHT, y), style);
            text(&mut svg, (LEFT + 6.0, y - 5.0), "start", name);
        }
        let middle = (self.series.len().saturating_sub(1)) as f64 / 2.0;
        let coloured = self.series.iter().zip(COLOURS.iter().cycle());
        for (index, (series, colour)) in coloured.enumerate() {
            let offset = (index as f64 - middle) * RANGE_OFFSET;
            self.draw_series(&mut svg, series, colour, offset);
        }
        svg + "</svg>\n"
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn draw_legend(&self, svg: &mut String) {
        let mut x = LEFT;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            put(
                svg,
                format_args!(
                    "<circle cx=\"{:.1}\" cy=\"48\" r=\"4.5\" fill=\"{colour}\"/>",
                    x + 5.0
                ),
            );
            text(svg, (x + 15.0, 52.0), "start", &series.name);
            x += 34.0 + series.name.chars().count() as f64 * LEGEND_CHARACTER;
        }
    }

    fn draw_axes(&self, svg: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (value, name) in &self.y.ticks {
            let y = self.y_of(*value);
            line(svg, (LEFT, y), (right, y), "stroke-opacity=\"0.25\"");
            text(svg, (LEFT - 8.0, y + 4.0), "end", name);
        }
        for (value, name) in &self.x.ticks {
            let x = self.x_of(*value);
            line(svg, (x, bottom), (x, bottom + 5.0), "");
            text(svg, (x, bottom + 20.0), "middle", name);
        }
        line(svg, (LEFT, bottom), (right, bottom), "");
        text(
            svg,
            ((LEFT + right) / 2.0, HEIGHT - 10.0),
            "middle",
            self.x.label,
        );
        let middle = (TOP + bottom) / 2.0;
        put(
            svg,
            format_args!(
                "<text transform=\"translate(18 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                escaped(self.y.label)
            ),
        );
    }

    fn draw_series(&self, svg: &mut String, series: &Series, colour: &str, range_offset: f64) {
        let place = |point: &Point| (self.x_of(point.x), self.y_of(point.y));
        let places: Vec<_> = series.points.iter().map(place).collect();
        let path: Vec<_> = places
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        put(
            svg,
            format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\" stroke-linejoin=\"round\"/>",
                path.join(" ")
            ),
        );
        for (point, (x, y)) in series.points.iter().zip(&places) {
            if let Some((min, max)) = point.range {
                let (x, low, high) = (x + range_offset, self.y_of(min), self.y_of(max));
                put(
                    svg,
                    format_args!(
                        "<line x1=\"{x:.1}\" y1=\"{low:.1}\" x2=\"{x:.1}\" y2=\"{high:.1}\" stroke=\"{colour}\" stroke-width=\"1.2\"/>"
                    ),
                );
            }
            if places.len() <= MARKED_POINTS_MAX {
                put(
                    svg,
                    format_args!(
                        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>"
                    ),
                );
            }
        }
    }
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    put(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{GREY}\" {style}/>"
        ),
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escaped(words);
    put(
        svg,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"),
    );
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(svg, "{element}").expect("a string takes any text");
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let point = |x, y| Point {
            x,
            y,
            range: Some((y - 1.0, y + 1.0)),
        };
        Chart {
            title: "a < b & c",
            x: Axis::logarithmic("agencies", 5.0, 10_000.0, |at| at.to_string()),
            y: Axis::linear("bets", 9.0, |at| at.to_string()),
            series: vec![Series {
                name: "no".to_owned(),
                points: vec![point(10.0, 5.0), point(1000.0, 9.0)],
            }],
            levels: vec![(2.0, "the target".to_owned())],
        }
    }

    #[test]
    fn steps_are_round_and_cover_the_largest_value() {
        for (max, last) in [
            (9.0, 10.0),
            (10.0, 10.0),
            (0.013, 0.015),
            (1_234_567.0, 1_500_000.0),
        ] {
            let axis = Axis::linear("", max, |_| String::new());
            let found = axis.ticks.last().unwrap().0;
            assert!((found - last).abs() < last * 1e-9, "{max}: {found}");
        }
    }

    #[test]
    fn powers_of_ten_enclose_the_values() {
        let axis = Axis::logarithmic("", 5.0, 10_000.0, |at| at.to_string());
        let ticks: Vec<_> = axis.ticks.iter().map(|(at, _)| *at).collect();
        assert_eq!(ticks, [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert!((axis.share(100.0) - 0.5).abs() < 1e-9);
        assert_eq!(axis.share(1e9), 1.0);
    }

    #[test]
    fn a_chart_is_well_formed_and_has_every_part() {
        let svg = chart().render();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt; b &amp; c"));
        assert!(svg.contains("the target"));
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("r=\"3.2\"").count(), 2);
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(!svg.contains("NaN"));
    }
}
