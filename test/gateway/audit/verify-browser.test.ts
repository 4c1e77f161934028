import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { laneOf, sealedLog, sourceOf } from './sealed-log.ts'

interface Vectors {
  readonly lines: readonly unknown[]
  readonly accept: readonly { readonly lines: readonly number[] }[]
  readonly reject: readonly { readonly lines: readonly number[]; readonly findings: unknown }[]
}

// A browser page offers the language, WebCrypto, text codecs and streams: no Buffer, no process, no modules of Node.
it('P7: the verifier runs in a browser', async () => {
  const root = new URL('../../../', import.meta.url).pathname
  const { outputFiles } = await build({
    stdin: {
      contents: ['lanes', 'checkpoint', 'log-policy', 'export', 'receipt', 'ranges', 'tlog-proof', 'verify-log', 'log-report']
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
  const samples = [laneOf('kakjK50G.1', 300, 3), laneOf('kakjK50G.2', 20, 1)]
  const sealed = sealedLog(samples, 3)
  const altered = new Map(sealed.files)
  altered.delete([...altered.keys()].find((name) => name.startsWith('segments/')) ?? '')
  const page = {
    crypto,
    TextEncoder,
    TextDecoder,
    DecompressionStream,
    TransformStream,
    policy: sealed.keys.policy,
    sealed: sourceOf(sealed.files),
    altered: sourceOf(altered),
    given: read('proofs'),
    lanes: read('lanes'),
    receipts: read('receipts'),
    checkpoints: read('checkpoints'),
  }
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
      const { policy: trusted } = verifier.parseLogPolicy(policy)
      const handed = JSON.parse(given)
      const proven = (list) => Promise.all(list.map(async ({ proof, item }) =>
        (await verifier.verifyProof(proof, item, verifier.parseLogPolicy(handed.policy).policy)).outcome))
      return JSON.stringify({
        logs: [verifier.reportLine(await verifier.verifyLog(sealed, { policy: trusted })), (await verifier.verifyLog(altered, { policy: trusted })).findings[0].kind],
        proven: await proven(handed.accept),
        notProven: await proven(handed.refuse),
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
  const { logs, proven, notProven, accepted, rejected, holding, failing, believed, disbelieved } = JSON.parse(
    await answer,
  ) as Record<string, unknown[]>
  const { accept, reject } = JSON.parse(read('lanes')) as Vectors
  expect(accepted).toEqual(accept.map(() => []))
  expect(rejected).toEqual(reject.map(({ findings }) => findings))
  expect(new Set(holding)).toEqual(new Set([true]))
  expect(new Set(failing)).toEqual(new Set([false]))
  expect(new Set(believed)).toEqual(new Set(['VERIFIED']))
  expect(new Set(disbelieved)).toEqual(new Set(['REFUSED']))
  expect(logs).toEqual(['920 field records in 320 items, 2 lanes, 3 of 3 checkpoints, 2 of 2 witnesses, no gap', 'SEGMENT_MISSING'])
  expect(new Set(proven)).toEqual(new Set(['PROVEN']))
  expect(new Set(notProven)).toEqual(new Set(['REFUSED']))
})
