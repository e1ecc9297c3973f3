// @ts-check
/** Colours from covers, kept readable (WCAG 2 contrast). */

/** @param {string} hex `#rrggbb` @returns {[number, number, number]} 0-255 each */
export const rgb = (hex) => {
  const n = parseInt(hex.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
};

/** @param {number[]} channels */
const toHex = (channels) => `#${channels.map((c) => Math.round(Math.min(255, Math.max(0, c))).toString(16).padStart(2, '0')).join('')}`;

/** @param {string} hex relative luminance, 0-1 */
export const luminance = (hex) => {
  const [r, g, b] = rgb(hex).map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** @param {string} a @param {string} b 1-21 */
export const contrast = (a, b) => {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
};

/** @param {string} hex @returns {[number, number, number]} hue 0-360, saturation and lightness 0-1 */
export const hsl = (hex) => {
  const [r, g, b] = rgb(hex).map((c) => c / 255);
  const [max, min] = [Math.max(r, g, b), Math.min(r, g, b)];
  const l = (max + min) / 2;
  const d = max - min;
  if (!d) return [0, 0, l];
  const s = d / (1 - Math.abs(2 * l - 1));
  const h = max === r ? ((g - b) / d + 6) % 6 : max === g ? (b - r) / d + 2 : (r - g) / d + 4;
  return [h * 60, s, l];
};

/** @param {number} h @param {number} s @param {number} l */
export const fromHsl = (h, s, l) => {
  const f = (/** @type {number} */ n) => {
    const k = (n + h / 30) % 12;
    return 255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return toHex([f(0), f(8), f(4)]);
};

/** A steady colour for words, so that a thing without a picture always looks the same. @param {string} words */
export const colourOf = (words) => {
  let hash = 2166136261;
  for (const c of words) hash = Math.imul(hash ^ (c.codePointAt(0) ?? 0), 16777619) >>> 0;
  // Warm hues are favoured: the room has warm light.
  const hue = [18, 28, 40, 52, 90, 150, 190, 215, 260, 320, 345, 5][hash % 12] + ((hash >>> 8) % 12);
  return fromHsl(hue % 360, 0.24 + ((hash >>> 16) % 10) / 100, 0.42);
};

/**
 * A quiet ground in the colour of a cover on which `text` can be read.
 * @param {string} hex @param {{dark: boolean, text: string, least?: number}} options
 */
export const ground = (hex, { dark, text, least = 7 }) => {
  const valid = /^#[0-9a-f]{6}$/i.test(hex) ? hex : '#6b6158';
  const [h, s] = hsl(valid);
  const calm = Math.min(s, dark ? 0.42 : 0.5);
  let l = dark ? 0.24 : 0.86;
  for (let i = 0; i < 40; i += 1) {
    const colour = fromHsl(h, calm, l);
    if (contrast(colour, text) >= least) return colour;
    l += dark ? -0.01 : 0.01;
  }
  return dark ? '#12100e' : '#faf8f5';
};
