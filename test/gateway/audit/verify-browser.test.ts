import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'

interface Vectors {
  readonly lines: readonly unknown[]
  readonly accept: readonly { readonly lines: readonly number[] }[]
  readonly reject: readonly { readonly lines: readonly number[]; readonly findings: unknown }[]
}

// A browser page offers the language, WebCrypto and TextEncoder: no Buffer, no process, no modules of Node.
it('P7: the verifier runs in a browser', async () => {
  const root = new URL('../../../', import.meta.url).pathname
  const { outputFiles } = await build({
    stdin: {
      contents: ['lanes', 'seals', 'checkpoint', 'log-policy', 'export', 'receipt', 'ranges']
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
  const page = { crypto, TextEncoder, lanes: read('lanes'), receipts: read('receipts'), checkpoints: read('checkpoints') }
  const answer = runInNewContext(
    `${bundle};
    (async () => {
      const exported = (file, { lines }) => verifier.parseExport(lines.map((at) => JSON.stringify(file.lines[at])).join('\\n')).items
      const chains = JSON.parse(lanes)
      const proofs = JSON.parse(receipts)
      const holds = (test) => verifier.verifyReceipt(exported(proofs, test), test.requestId, test.receipt)
      const notes = JSON.parse(checkpoints)
      const outcomes = (list) => Promise.all(list.map(async ({ note, policy }) =>
        (await verifier.verifyCheckpoint(note, notes.origin, verifier.parseLogPolicy(notes.policies[policy]).policy)).outcome))
      return JSON.stringify({
        accepted: chains.accept.map((test) => verifier.verifyLanes(exported(chains, test)).findings),
        rejected: chains.reject.map((test) => verifier.verifyLanes(exported(chains, test)).findings),
        holding: proofs.accept.map(holds),
        failing: proofs.reject.map(holds),
        believed: await outcomes(notes.accept),
        disbelieved: await outcomes(notes.refuse),
      })
    })()`,
    page,
  ) as Promise<string>
  const { accepted, rejected, holding, failing, believed, disbelieved } = JSON.parse(await answer) as Record<string, unknown[]>
  const { accept, reject } = JSON.parse(read('lanes')) as Vectors
  expect(accepted).toEqual(accept.map(() => []))
  expect(rejected).toEqual(reject.map(({ findings }) => findings))
  expect(new Set(holding)).toEqual(new Set([true]))
  expect(new Set(failing)).toEqual(new Set([false]))
  expect(new Set(believed)).toEqual(new Set(['VERIFIED']))
  expect(new Set(disbelieved)).toEqual(new Set(['REFUSED']))
})
