//! The curves, drawn. Each shows what of it was measured.
//!
//! They have no background, and colours of middle brightness that are legible on a white page and
//! on a dark one: a page that shows an image cannot tell it which of the two it is.

use anyhow::Result;
use plotters::prelude::*;
use serde::Deserialize;

use crate::figures::{Spread, significant, table};
use crate::report::{Findings, Target, targets};
use crate::rows::DURABILITIES;

/// Of the whole image, and of its left part with the axes; the legend is beside it.
const SIZE: (u32, u32) = (900, 400);
const PLOT_WIDTH: u32 = 650;
const LEGEND_LINE: i32 = 22;

const GREY: RGBColor = RGBColor(125, 133, 144);
const COLOURS: [RGBColor; 6] = [
    RGBColor(47, 129, 247),
    RGBColor(224, 129, 43),
    RGBColor(45, 164, 78),
    RGBColor(191, 90, 242),
    RGBColor(209, 36, 47),
    RGBColor(138, 122, 0),
];

/// A chart. Its horizontal axis is logarithmic.
#[derive(Deserialize)]
pub struct Chart {
    pub name: String,
    title: String,
    x: String,
    x_min: f64,
    x_max: f64,
    y: String,
    is_y_logarithmic: bool,
}

pub fn charts() -> csv::Result<Vec<Chart>> {
    table(include_str!("tables/charts.csv"))
}

struct Point {
    x: f64,
    y: Spread,
    /// The target for this very figure of this very row, if there is one.
    target: Option<f64>,
}

impl Chart {
    /// Points of the same workload, by name. The table has rows without their durability: there is a
    /// line for each with which they were run.
    fn lines(&self, findings: &Findings) -> Result<Vec<(String, Vec<Point>)>> {
        let (targets, mut lines) = (targets()?, Vec::<(String, Vec<Point>)>::new());
        for durability in DURABILITIES {
            for curve in table(include_str!("tables/curves.csv"))? {
                let (chart, line, x, row, figure): (String, String, f64, String, String) = curve;
                let (name, row) = (line + ", durability " + durability, row + "-" + durability);
                let measured = findings.spread(&row, &figure);
                let Some(y) = measured.filter(|_| chart == self.name) else {
                    continue;
                };
                let is_meant = |target: &&Target| target.row == row && target.figure == figure;
                let target = targets.iter().find(is_meant).map(|target| target.limit);
                if lines.last().is_none_or(|(last, _)| *last != name) {
                    lines.push((name, Vec::new()));
                }
                let last = lines.last_mut().map(|(_, points)| points);
                last.into_iter()
                    .for_each(|points| points.push(Point { x, y, target }));
            }
        }
        Ok(lines)
    }

    pub fn render(&self, findings: &Findings) -> Result<String> {
        let lines = self.lines(findings)?;
        let at = |y: f64| if self.is_y_logarithmic { y.log10() } else { y };
        let points = lines.iter().flat_map(|(_, points)| points);
        let tops = points.flat_map(|point| [point.y.max, point.target.unwrap_or(1.0)]);
        let top = tops.fold(1.0, f64::max);
        let y_range = match self.is_y_logarithmic {
            true => -2.0..at(top).ceil(),
            false => 0.0..top * 1.1,
        };
        let text = |size: i32| ("sans-serif", size).into_font().color(&GREY);
        let number = |value: &f64| match *value {
            value if value < 1000.0 => value.to_string(),
            value => significant(value),
        };
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let (left, legend) = area.split_horizontally(PLOT_WIDTH);
        let mut plot = ChartBuilder::on(&left)
            .caption(&self.title, text(16))
            .margin(10)
            .x_label_area_size(45)
            .y_label_area_size(85)
            .build_cartesian_2d((self.x_min..self.x_max).log_scale(), y_range)?;
        plot.configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GREY.mix(0.25))
            .axis_style(GREY)
            .label_style(text(12))
            .x_desc(&self.x)
            .y_desc(&self.y)
            .y_labels(6)
            .x_label_formatter(&number)
            .y_label_formatter(&|y| match self.is_y_logarithmic {
                true => number(&10_f64.powf(*y)),
                false => number(y),
            })
            .draw()?;
        for (index, ((name, points), colour)) in lines.iter().zip(&COLOURS).enumerate() {
            // Beside each other, so that no range hides another.
            let x = |point: &Point| point.x * 1.03_f64.powi(index as i32);
            let median = |point: &Point| (x(point), at(point.y.median));
            let medians: Vec<_> = points.iter().map(median).collect();
            for (point, median) in points.iter().zip(&medians) {
                let (x, y) = (x(point), point.y);
                plot.draw_series([Circle::new(*median, 4, colour.filled())])?;
                let range = vec![(x, at(y.min)), (x, at(y.max))];
                plot.draw_series([PathElement::new(range, colour)])?;
                if let Some(target) = point.target.map(at) {
                    let level = vec![(x / 1.5, target), (x * 1.5, target)];
                    plot.draw_series([Text::new("target", level[0], text(12).color(colour))])?;
                    plot.draw_series([PathElement::new(level, colour)])?;
                }
            }
            plot.draw_series([PathElement::new(medians, colour)])?;
            let (x, y) = (8, 50 + index as i32 * LEGEND_LINE);
            legend.draw(&Circle::new((x, y), 4, colour.filled()))?;
            legend.draw(&Text::new(name.as_str(), (x + 12, y - 6), text(12)))?;
        }
        area.present()?;
        drop((plot, left, legend, area));
        Ok(svg)
    }
}
