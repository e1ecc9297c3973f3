// Asks a station for every call that the npm client subsonic-api has. Run by deno from test_npm_client.py with
// {url, username, password} as its argument; prints {asked: {call: answer}, missing: [call]} as JSON.

import SubsonicAPI from "npm:subsonic-api@3.3.1";

const given = JSON.parse(Deno.args[0]);
const login = { username: given.username, password: given.password };
const api = new SubsonicAPI({ url: given.url, auth: login });
const asked = {};

async function ask(name, values) {
  const told = await api[name](values);
  asked[name] = told;
  if (told.status !== "ok") {
    throw new Error(`${name}: ${JSON.stringify(told.error)}`);
  }
  return told;
}

async function fetched(name, values) {
  const answer = await api[name](values);
  asked[name] = {
    status: answer.status,
    type: answer.headers.get("content-type"),
    bytes: (await answer.arrayBuffer()).byteLength,
  };
}

async function declined(name, values) {
  const told = await api[name](values);
  asked[name] = told;
  if (told.status !== "failed" || !told.error.message) {
    throw new Error(`${name} was not declined: ${JSON.stringify(told)}`);
  }
}

// Each way to log in.
for (const other of [
  { auth: login, post: true },
  { auth: login, reuseSalt: true, salt: "f00dcafe" },
  { auth: { apiKey: given.password } },
]) {
  const told = await new SubsonicAPI({ url: given.url, ...other }).getArtists();
  if (told.status !== "ok" || told.artists.index.length === 0) {
    throw new Error(`${JSON.stringify(Object.keys(other))}: ${JSON.stringify(told)}`);
  }
}

// The station and the library.
await ask("ping");
await ask("getLicense");
await ask("getOpenSubsonicExtensions");
const folder = (await ask("getMusicFolders")).musicFolders.musicFolder[0];
const indexes = (await ask("getIndexes", { musicFolderId: folder.id })).indexes;
await ask("getMusicDirectory", { id: indexes.index[0].artist[0].id });
await ask("getGenres");
const artists = (await ask("getArtists")).artists.index.flatMap((index) => index.artist);
const artist = artists.find((one) => one.name === "Björk");
const album = (await ask("getArtist", { id: artist.id })).artist.album[0];
const songs = (await ask("getAlbum", { id: album.id })).album.song;
const song = songs[0];
await ask("getSong", { id: song.id });
await ask("getArtistInfo", { id: artist.id });
await ask("getArtistInfo2", { id: artist.id });
await ask("getAlbumInfo", { id: album.id });
await ask("getAlbumInfo2", { id: album.id });
await ask("getSimilarSongs", { id: song.id, count: 5 });
await ask("getSimilarSongs2", { id: artist.id, count: 5 });
await ask("getTopSongs", { artist: artist.name, count: 5 });
await ask("getAlbumList", { type: "alphabeticalByName" });
await ask("getAlbumList2", { type: "alphabeticalByName", size: 500, offset: 0 });
await ask("getRandomSongs", { size: 5 });
await ask("getSongsByGenre", { genre: "Rock", count: 50 });
await ask("search2", { query: "björk" });
const everything = (await ask("search3", { query: '""', songCount: 500 })).searchResult3.song;
const words = everything.find((one) => one.title === "Side 1.1");
await ask("getLyrics", { artist: words.artist, title: words.title });
await ask("getLyricsBySongId", { id: words.id });

// What people think and hear.
await ask("star", { id: [song.id], albumId: album.id, artistId: artist.id });
await ask("getStarred");
await ask("getStarred2");
await ask("unstar", { id: [song.id], albumId: album.id, artistId: artist.id });
await ask("setRating", { id: song.id, rating: 4 });
await ask("scrobble", { id: song.id, submission: false });
await ask("getNowPlaying");
await ask("scrobble", { id: song.id, time: Date.now() });
await ask("reportPlayback", { mediaId: song.id, mediaType: "song", positionMs: 100, state: "playing" });

// Playlists, the queue, bookmarks.
const playlist = (await ask("createPlaylist", { name: "p", songId: songs.map((one) => one.id) })).playlist;
await ask("updatePlaylist", { playlistId: playlist.id, comment: "c & d", songIndexToRemove: [0, 1] });
await ask("getPlaylist", { id: playlist.id });
await ask("getPlaylists");
await ask("deletePlaylist", { id: playlist.id });
await ask("savePlayQueue", { id: songs.map((one) => one.id), current: song.id, position: 900 });
await ask("getPlayQueue");
await ask("createBookmark", { id: song.id, position: 1200, comment: "here" });
await ask("getBookmarks");
await ask("deleteBookmark", { id: song.id });

// Shares, podcasts, radio, the jukebox.
const share = (await ask("createShare", { id: album.id, description: "for you" })).shares.share[0];
await ask("updateShare", { id: share.id, description: "for all" });
await ask("getShares");
await ask("deleteShare", { id: share.id });
await ask("getPodcasts", { includeEpisodes: true });
await ask("getNewestPodcasts", { count: 5 });
await ask("refreshPodcasts");
await ask("createInternetRadioStation", { streamUrl: "http://radio.example/x", name: "One" });
const radio = (await ask("getInternetRadioStations")).internetRadioStations.internetRadioStation[0];
await ask("updateInternetRadioStation", { id: radio.id, streamUrl: "http://radio.example/y", name: "Two" });
await ask("deleteInternetRadioStation", { id: radio.id });
await ask("jukeboxControl", { action: "set", id: [song.id] });

// People, scans.
await ask("getUser", { username: given.username });
await ask("createUser", { username: "passing", password: "a long password", email: "p@b.example" });
await ask("updateUser", { username: "passing", uploadRole: true });
await ask("changePassword", { username: "passing", password: "another long password" });
await ask("getUsers");
await ask("deleteUser", { username: "passing" });
await ask("startScan");
await ask("getScanStatus");

// Sound and pictures.
await fetched("stream", { id: song.id });
await fetched("download", { id: song.id });
await fetched("getCoverArt", { id: album.coverArt, size: 200 });
await fetched("getAvatar", { username: given.username });

// What this station does not do.
await declined("getVideos");
await declined("getVideoInfo", { id: song.id });
await declined("getChatMessages");
await declined("addChatMessage", { message: "hello" });

const ownWords = ["constructor", "navidromeSession", "custom", "customJSON", "baseURL"];
const missing = Object.getOwnPropertyNames(SubsonicAPI.prototype)
  .filter((name) => !(name in asked) && !ownWords.includes(name));
console.log(JSON.stringify({ asked, missing, bytes: song.size }));
