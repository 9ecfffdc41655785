"""Contrast of the text in drawings with what lies behind it, as WCAG 2 measures it; axe leaves SVG text undecided."""

from __future__ import annotations

LEAST, LEAST_LARGE = 4.5, 3.0  # WCAG 2.1, success criterion 1.4.3
LARGE, LARGE_BOLD = 24, 18.66  # px

FAINT = """
const [least, leastLarge, large, largeBold] = arguments;
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, alpha, below) => below.map((value, i) => alpha * top[i] + (1 - alpha) * value);
const luminance = (colour) => colour.map((v) => v / 255)
  .map((v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const contrast = (one, two) => {
  const [low, high] = [luminance(one), luminance(two)].sort((a, b) => a - b);
  return (high + .05) / (low + .05);
};
const opacity = (node, end) => {
  let product = 1;
  for (; node && node !== end; node = node.parentElement) product *= +getComputedStyle(node).opacity;
  return product;
};
const paper = (node) => {
  for (; node; node = node.parentElement) {
    const colour = rgba(getComputedStyle(node).backgroundColor);
    if (colour[3] > .99) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const pixels = (image) => {  // of a picture in a drawing
  const source = image.href.baseVal, picture = new Image();
  return new Promise((done) => {
    picture.onload = () => {
      const board = Object.assign(document.createElement('canvas'), {width: picture.width, height: picture.height});
      const context = board.getContext('2d');
      context.drawImage(picture, 0, 0);
      done(context.getImageData(0, 0, picture.width, picture.height));
    };
    picture.onerror = () => done(null);
    picture.src = source;
  });
};
const inside = (shape, point) => point.matrixTransform(shape.getScreenCTM().inverse());
const clipped = (shape, point) => {  // whether a clipping rectangle leaves nothing of the shape here
  for (let node = shape; node && node.tagName !== 'svg'; node = node.parentElement) {
    const name = /#([^")]+)/.exec(node.getAttribute('clip-path') || '');
    const area = name && document.getElementById(name[1])?.firstElementChild;
    if (area && !area.isPointInFill(point.matrixTransform(node.getScreenCTM().inverse()))) return true;
  }
  return false;
};
const faint = async (svg) => {
  const faults = [], below = [], ground = paper(svg);
  for (const node of svg.querySelectorAll('path, rect, circle, ellipse, polygon, image, text')) {
    if (node.closest('defs, clipPath')) continue;
    const style = getComputedStyle(node);
    if (node.tagName !== 'text') {
      if (node.tagName === 'image') below.push({node, data: await pixels(node), alpha: opacity(node, svg)});
      else if (style.fill !== 'none' && !style.fill.startsWith('url')) {
        const colour = rgba(style.fill);
        below.push({node, colour, alpha: colour[3] * style.fillOpacity * opacity(node, svg)});
      }
      continue;
    }
    const box = node.getBoundingClientRect();
    if (!node.textContent.trim() || !box.width) continue;
    const point = svg.createSVGPoint();
    [point.x, point.y] = [box.x + box.width / 2, box.y + box.height / 2];
    let behind = ground;
    for (const {node: shape, colour, data, alpha} of below) {
      const there = inside(shape, point);
      if (data === undefined) {
        if (shape.isPointInFill(there) && !clipped(shape, point)) behind = over(colour, alpha, behind);
      } else if (data) {
        const [x, y, w, h] = ['x', 'y', 'width', 'height'].map((name) => shape[name].baseVal.value);
        const [u, v] = [(there.x - x) / w, (there.y - y) / h];
        if (u < 0 || u >= 1 || v < 0 || v >= 1 || clipped(shape, point)) continue;
        const at = 4 * (Math.floor(v * data.height) * data.width + Math.floor(u * data.width));
        behind = over([...data.data.slice(at, at + 3)], alpha * data.data[at + 3] / 255, behind);
      }
    }
    const ink = rgba(style.fill), size = parseFloat(style.fontSize) * svg.getScreenCTM().a;
    const seen = over(ink, ink[3] * style.fillOpacity * opacity(node, svg), behind);
    const wanted = size >= large || (size >= largeBold && +style.fontWeight >= 700) ? leastLarge : least;
    const measured = contrast(seen, behind);
    if (measured < wanted) faults.push([node.textContent.trim(), +measured.toFixed(2)]);
  }
  return faults;
};
const done = arguments[arguments.length - 1];
(async () => {
  const found = [];
  for (const svg of document.querySelectorAll('svg[role="img"]')) {
    if (!svg.checkVisibility()) continue;
    const name = svg.closest('figure')?.id || svg.getAttribute('aria-label');
    for (const [text, measured] of await faint(svg)) found.push(`${name}: "${text}" has a contrast of ${measured}`);
  }
  done(found);
})().catch((error) => done([String(error)]));
"""


def faint_texts(browser) -> list[str]:
    """Texts of the drawings shown whose contrast is below what WCAG asks for, each with its figure and contrast."""
    return browser.execute_async_script(FAINT, LEAST, LEAST_LARGE, LARGE, LARGE_BOLD)
