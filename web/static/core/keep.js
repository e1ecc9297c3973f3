// @ts-check
/** What this browser keeps between visits. A full or forbidden storage is no reason to stop the music. */

const PREFIX = 'soundsible.';

/** @param {string} name @param {any} otherwise */
export const recall = (name, otherwise) => {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
};

/** @param {string} name @param {any} value */
export const keep = (name, value) => {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch { /* full, or private browsing */ }
};

/** @param {string} name */
export const forget = (name) => {
  try { localStorage.removeItem(PREFIX + name); } catch { /* nothing was kept */ }
};
