// How the agent becomes a few files. It runs on machines with little memory, so what it cannot use stays out, and what it
// seldom uses (joining, looking for a supervisor, opening secrets) lies in files of its own beside it, which are read when
// they are needed: every 100 kB of script is several hundred in memory.

/** zod's front door brings its messages in 50 languages, and MQTT.js a timer for browsers. */
const leaveOut = {
  name: 'leave-out',
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: 'export {}' }));
    build.onResolve({ filter: /^worker-timers$/ }, () => ({ path: 'worker-timers', namespace: 'left-out' }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {}' }));
  },
};

export const agentBundle = {
  entryPoints: {
    agent: 'node-agent/main.ts',
    // What runs jobs: a process of its own (node-agent/work/executor/program.ts).
    'agent-parts/executor': 'node-agent/work/executor/main.ts',
  },
  target: 'node20.11',
  minify: true,
  splitting: true,
  chunkNames: 'agent-parts/[name]-[hash]',
  legalComments: 'linked',
  // Bundled CommonJS packages ask for require() at run time.
  banner: {
    js: "import{createRequire as hearthRequire}from'node:module';const require=hearthRequire(import.meta.url);",
  },
  // The same code as Node's own, for runtimes that have none.
  alias: { 'readable-stream': 'node:stream' },
  // Asked only where /proc does not tell (macOS), and found there when the agent was installed by npm.
  external: ['systeminformation'],
  plugins: [leaveOut],
};
