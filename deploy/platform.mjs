// Whether Hearth can run here at all; one sentence where it cannot. Imports nothing: it must load in any Node, anywhere.
// npm runs it before `npm start`, whose `exec` (it lets npm's signals through to Hearth) is nothing that Windows knows.
if (process.platform === 'win32') {
  console.error('hearth: Windows is not supported: use Linux, macOS, or WSL 2 on Windows.');
  process.exit(1);
}
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`hearth: Node ${process.versions.node} is too old: install Node 20.19 or newer (https://nodejs.org).`);
  process.exit(1);
}
