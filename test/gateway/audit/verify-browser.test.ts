import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'

interface Vectors {
  readonly accept: readonly { readonly entries: unknown }[]
  readonly refuse: readonly { readonly entries: unknown; readonly findings: unknown }[]
}

// What a page has: the language, WebCrypto and TextEncoder. No Buffer, no process, no modules of Node.
it('P7: the verifier runs in a browser', async () => {
  const root = new URL('../../../', import.meta.url).pathname
  const { outputFiles } = await build({
    stdin: {
      contents: ['lanes', 'seals', 'checkpoint', 'verifier-key', 'export', 'receipt', 'ranges']
        .map((name) => `export * from './gateway/audit/verify/${name}.ts'`)
        .join('\n'),
      resolveDir: root,
    },
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'verifier',
  })
  const bundle = outputFiles[0]?.text ?? ''
  const read = (name: string): string => readFileSync(new URL(`../../vectors/audit/${name}.json`, import.meta.url), 'utf8')
  const page = { crypto, TextEncoder, chain: read('chain'), checkpoints: read('checkpoints') }
  const answer = runInNewContext(
    `${bundle};
    (async () => {
      const { accept, refuse } = JSON.parse(chain)
      const notes = JSON.parse(checkpoints)
      const keys = notes.trust.keys.map(verifier.parseVerifierKey)
      const witnesses = notes.trust.witnesses.map(verifier.parseVerifierKey)
      const outcomes = (list) => Promise.all(list.map(async ({ note, quorum = 0 }) =>
        (await verifier.verifyCheckpoint(note, { origin: notes.trust.origin, keys, witnesses, quorum })).outcome))
      return JSON.stringify({
        accepted: accept.map(({ entries }) => verifier.verifyLanes(entries).findings),
        refused: refuse.map(({ entries }) => verifier.verifyLanes(entries).findings),
        believed: await outcomes(notes.accept),
        disbelieved: await outcomes(notes.refuse),
      })
    })()`,
    page,
  ) as Promise<string>
  const { accepted, refused, believed, disbelieved } = JSON.parse(await answer) as Record<string, unknown[]>
  const { accept, refuse } = JSON.parse(read('chain')) as Vectors
  expect(accepted).toEqual(accept.map(() => []))
  expect(refused).toEqual(refuse.map(({ findings }) => findings))
  expect(new Set(believed)).toEqual(new Set(['VERIFIED']))
  expect(new Set(disbelieved)).toEqual(new Set(['REFUSED']))
})
