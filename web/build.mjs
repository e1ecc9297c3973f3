/**
 * Makes what the player's sources cannot say twice: the icon sprite (into index.html and static/icons) and the
 * list of shell files with their fingerprint (into sw.js, and into the page, which tells by it whether they belong together). Run by `npm run build`, after Tailwind.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('.', import.meta.url));
const files = (folder) => readdirSync(folder, { withFileTypes: true })
  .flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)])).sort();
const between = (text, name, inner) => text.replace(
  new RegExp(`(<!-- ${name} -->|/\\* ${name} \\*/)[\\s\\S]*?(<!-- end -->|/\\* end \\*/)`),
  (_, open, close) => `${open}${inner}${close}`,
);

const scripts = files(join(web, 'static')).filter((name) => name.endsWith('.js') && !name.includes('vendor'));
const source = scripts.map((name) => readFileSync(name, 'utf8')).join('\n');
const drawn = (name) => readFileSync(join(web, `node_modules/lucide-static/icons/${name}.svg`), 'utf8')
  .replace(/<!--[\s\S]*?-->/g, '').replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, '').replace(/\s*\n\s*/g, '').replaceAll(' />', '/>');

// Used are those whose whole name stands somewhere in quotes (or as #i-name).
const named = new Set([...source.matchAll(/(?:['"`]|#i-)([a-z][a-z0-9-]*)(?=['"`])/g)].map((m) => m[1]));
const TAKEN = ['x', 'house', 'library', 'search', 'download', 'circle-user-round', 'play', 'pause', 'skip-forward', 'skip-back',
  'shuffle', 'repeat', 'repeat-1', 'volume-2', 'volume-1', 'volume-x', 'list-music', 'heart', 'ellipsis', 'chevron-down',
  'chevron-left', 'chevron-right', 'chevron-up', 'plus', 'list-plus', 'list-start', 'list-end', 'disc-3', 'mic-vocal',
  'pencil', 'trash-2', 'star', 'sun', 'moon', 'monitor', 'keyboard', 'folder', 'refresh-cw', 'log-out', 'info', 'check',
  'grip-vertical', 'arrow-down-wide-narrow', 'arrow-up-narrow-wide', 'circle-alert', 'wifi-off', 'history', 'music', 'tag',
  'undo-2', 'lock', 'folder-plus', 'file-question-mark', 'sparkles', 'audio-lines', 'wifi', 'users-round', 'user-round-plus', 'unplug', 'headphones', 'cloud', 'cloud-check', 'cloud-upload', 'hard-drive', 'hard-drive-download', 'pin', 'pin-off', 'smartphone', 'qr-code', 'radio-tower',
  'mail', 'shield-check', 'archive', 'key-round', 'copy', 'share-2', 'podcast', 'radio', 'rotate-ccw', 'rotate-cw'];
const symbols = TAKEN.filter((name) => named.has(name)).map((name) => `<symbol id="i-${name}" viewBox="0 0 24 24">${drawn(name)}</symbol>`);
const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>`;
writeFileSync(join(web, 'static/icons/sprite.svg'), `${sprite}\n`);

const VERSION = /<meta name="version" content="[^"]*">/;
const versioned = (text, version) => text.replace(VERSION, `<meta name="version" content="${version}">`);
const page = versioned(readFileSync(join(web, 'index.html'), 'utf8'), ''); // the fingerprint is of the page without it
// All modules are asked for at once instead of one after the other as they import each other.
const modules = scripts.filter((name) => !/(app|theme)\.js$/.test(name))
  .map((name) => `\n  <link rel="modulepreload" href="/${relative(web, name).replaceAll('\\', '/')}">`).join('');
writeFileSync(join(web, 'index.html'), between(between(page, 'modules', `${modules}\n  `), 'icons', sprite.replace('<svg ', '<svg hidden aria-hidden="true" ')));

const shell = files(join(web, 'static')).filter((name) => !/\.txt$|sprite\.svg$|mark.*\.svg$/.test(name));
const hash = createHash('sha256');
for (const name of ['index.html', 'manifest.webmanifest'].map((n) => join(web, n)).concat(shell)) hash.update(readFileSync(name));
const version = hash.digest('hex').slice(0, 12);
writeFileSync(join(web, 'index.html'), versioned(readFileSync(join(web, 'index.html'), 'utf8'), version));
const list = ['/', '/manifest.webmanifest', ...shell.map((name) => `/${relative(web, name).replaceAll('\\', '/')}`)];
const worker = readFileSync(join(web, 'sw.js'), 'utf8');
writeFileSync(join(web, 'sw.js'), between(
  between(worker, 'version', `'${version}'`),
  'files', `[\n${list.map((name) => `  '${name}',`).join('\n')}\n]`,
));
console.log(`${symbols.length} icons, ${list.length} shell files`);
