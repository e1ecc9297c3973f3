// @ts-check
/** Keyboard shortcuts: which key means what, and how they are told to people. */

/** @type {{keys: string[], deed: string, words: string, shown: string[]}[]} */
export const SHORTCUTS = [
  { keys: [' '], deed: 'toggle', words: 'Play or pause', shown: ['Space'] },
  { keys: ['n', 'j', 'shift+arrowright'], deed: 'next', words: 'Next track', shown: ['N', 'J'] },
  { keys: ['p', 'k', 'shift+arrowleft'], deed: 'previous', words: 'Previous track', shown: ['P', 'K'] },
  { keys: ['arrowright'], deed: 'seek-forward', words: 'Ten seconds on', shown: ['→'] },
  { keys: ['arrowleft'], deed: 'seek-back', words: 'Ten seconds back', shown: ['←'] },
  { keys: ['shift+arrowup'], deed: 'louder', words: 'Louder', shown: ['Shift', '↑'] },
  { keys: ['shift+arrowdown'], deed: 'softer', words: 'Softer', shown: ['Shift', '↓'] },
  { keys: ['m'], deed: 'mute', words: 'Mute', shown: ['M'] },
  { keys: ['s'], deed: 'shuffle', words: 'Shuffle', shown: ['S'] },
  { keys: ['r'], deed: 'repeat', words: 'Repeat all, one, off', shown: ['R'] },
  { keys: ['f'], deed: 'favourite-current', words: 'Favourite this track', shown: ['F'] },
  { keys: ['/'], deed: 'search', words: 'Search', shown: ['/'] },
  { keys: ['q'], deed: 'toggle-queue', words: 'Queue', shown: ['Q'] },
  { keys: ['l'], deed: 'toggle-lyrics', words: 'Lyrics', shown: ['L'] },
  { keys: ['?', 'shift+?'], deed: 'shortcuts', words: 'These shortcuts', shown: ['?'] },
  { keys: ['escape'], deed: 'close', words: 'Close what is open', shown: ['Esc'] },
];

/** @param {{key: string, shiftKey?: boolean, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event @returns {string | null} the deed's name */
export const deedOf = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const key = event.key.toLowerCase();
  const pressed = event.shiftKey && key !== 'shift' ? `shift+${key}` : key;
  return SHORTCUTS.find((s) => s.keys.includes(pressed))?.deed ?? null;
};
