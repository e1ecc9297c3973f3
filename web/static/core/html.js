// @ts-check
/** Markup that is safe by construction, and the small differ that puts it on the page. */

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** @param {unknown} value */
export const escape = (value) => String(value).replace(/[&<>"']/g, (c) => ESCAPES[/** @type {'&'} */ (c)]);

/** Text that has been through `html` and may stand in a page as it is. */
export class Markup {
  /** @param {string} text */
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

/** @param {unknown} value @returns {string} */
const piece = (value) => {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(piece).join('');
  if (value === null || value === undefined || value === false || value === true) return '';
  return escape(value);
};

/**
 * A template whose every value is escaped, but for other templates. Attribute values must be quoted.
 * @param {TemplateStringsArray} strings @param {...unknown} values
 */
export const html = (strings, ...values) =>
  new Markup(strings.reduce((text, part, i) => text + piece(values[i - 1]) + part));

/** An attribute that stands only when it is wanted: `${flag('disabled', busy)}`. @param {string} name @param {unknown} on */
export const flag = (name, on) => new Markup(on ? ` ${name} ` : '');

// These belong to whoever set them at run time (`open`: a dialog's own), so the differ leaves them alone.
const OWNED = new Set(['data-live', 'style', 'open']);

/** Style values go through CSSOM, since the page's policy forbids style attributes. @param {HTMLElement} el @param {string} text */
const applyCss = (el, text) => {
  for (const name of /** @type {any} */ (el).cssNames ?? []) el.style.removeProperty(name);
  const names = [];
  for (const rule of text.split(';')) {
    const at = rule.indexOf(':');
    if (at < 1) continue;
    const name = rule.slice(0, at).trim();
    el.style.setProperty(name, rule.slice(at + 1).trim());
    names.push(name);
  }
  /** @type {any} */ (el).cssNames = names;
};

/** @param {Element} from @param {Element} to */
const patchAttributes = (from, to) => {
  // A custom element sets attributes on itself; what it was given at first stays.
  const own = from.localName.includes('-');
  for (const { name } of own ? [] : [...from.attributes]) {
    if (!to.hasAttribute(name) && !OWNED.has(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) === value) continue;
    from.setAttribute(name, value);
    if (name === 'data-css') applyCss(/** @type {HTMLElement} */ (from), value);
    if (name === 'value' && from instanceof HTMLInputElement && from !== document.activeElement) from.value = value;
  }
  if (from instanceof HTMLInputElement && (from.type === 'checkbox' || from.type === 'radio')) {
    from.checked = to.hasAttribute('checked');
  }
  if (from instanceof HTMLOptionElement) from.selected = to.hasAttribute('selected');
};

/** @param {Node} node */
const keyOf = (node) => (node instanceof Element ? node.getAttribute('data-key') : null);

/** @param {Node} a @param {Node} b */
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

/** @param {Node} node */
const adopt = (node) => {
  if (!(node instanceof Element)) return node;
  for (const el of [node, ...node.querySelectorAll('[data-css]')]) {
    const css = el.getAttribute('data-css');
    if (css) applyCss(/** @type {HTMLElement} */ (el), css);
  }
  return node;
};

/** @param {Node} from @param {Node} to */
const patchChildren = (from, to) => {
  const staying = new Set([...to.childNodes].map(keyOf));
  /** @type {Map<string, Element>} */
  const keyed = new Map();
  for (const child of [...from.childNodes]) {
    const key = keyOf(child);
    if (key === null) continue;
    // What leaves, leaves first: the others need not move then, and a moved element would lose its focus.
    if (staying.has(key)) keyed.set(key, /** @type {Element} */ (child));
    else child.remove();
  }
  let here = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    // Spaces left behind by what went must not make its neighbours move either.
    while (key !== null && here instanceof Text && keyed.has(key)) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
    let match = key === null ? here : keyed.get(key) ?? null;
    if (key === null) while (match && keyOf(match) !== null) match = match.nextSibling;
    if (match && alike(match, wanted)) {
      if (match === here) here = here?.nextSibling ?? null;
      else from.insertBefore(match, here);
      if (key !== null) keyed.delete(key);
      patch(match, wanted);
    } else {
      from.insertBefore(adopt(wanted), here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
};

/** @param {Node} from @param {Node} to */
const patch = (from, to) => {
  if (!(from instanceof Element)) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  patchAttributes(from, /** @type {Element} */ (to));
  if (!from.localName.includes('-')) patchChildren(from, to); // a custom element draws its own inside
};

/**
 * Makes the inside of `host` look like `markup`, touching only what differs: focus, scroll and playing
 * transitions survive. Children with `data-key` are moved, not remade.
 * @param {Element} host @param {Markup} markup
 */
export const paint = (host, markup) => {
  const template = document.createElement('template');
  template.innerHTML = markup.text;
  patchChildren(host, template.content);
};
