/** `countersign serve`: flags and help. */
import type { Command } from '../command/model.ts'
import { dataFlag, passphraseFlag } from '../flags/services.ts'

/** Runs the services. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'Run certificate authority, transparency logs, timestamps, trust root and identity provider on one port.',
  description:
    'The first start, in an absent or empty folder, makes keys, roots and logs; every later one uses them, and says what is missing rather than making it anew. The public URL is stored at the first start: certificates, logs and clients refer to it.\nPlain http is served on loopback only; give a certificate in the configuration for anything else. SIGTERM and SIGINT end it after the requests that run, a second one at once; SIGHUP reads the certificate again.\nWith --report json one line of JSON with every address is printed when it is ready.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    { text: 'On this machine, data in the usual folder', line: 'countersign serve' },
    { text: 'Data in another folder, on another port', line: 'countersign serve --data ./platform --listen 127.0.0.1:9000' },
    {
      text: 'For a team, by a configuration',
      line: 'countersign serve --config /etc/countersign/server.yaml --public-url https://sign.example.org',
    },
    {
      text: 'Check configuration, certificate and data folder, and change nothing',
      line: 'countersign serve --check --config server.yaml',
    },
    { text: 'Two of the services in this process', line: 'countersign serve --role log,tsa --config server.yaml' },
  ],
  flags: [
    dataFlag,
    { name: 'config', kind: 'text', value: 'FILE', help: 'configuration document', default: 'config.yaml in the data folder', path: true },
    {
      name: 'listen',
      kind: 'text',
      value: 'HOST:PORT',
      help: 'address to listen on; port 0 takes a free one at the first start',
      default: 'that of the first start, or 127.0.0.1:8460',
    },
    {
      name: 'public-url',
      kind: 'text',
      value: 'URL',
      help: 'URL under which clients reach it, stored at the first start',
      default: 'that of --listen',
    },
    { name: 'role', kind: 'csv', value: 'ROLE,…', help: 'services of this process: ca, log, tsa, trust, identity', default: 'all' },
    passphraseFlag,
    { name: 'no-create', kind: 'boolean', help: 'fail where there is no installation, instead of making one' },
    { name: 'check', kind: 'boolean', help: 'check everything that can be without starting, and change nothing', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/serve.ts')).serve,
}
