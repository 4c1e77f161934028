import { createServer, type IncomingMessage } from 'node:http'
import * as z from 'zod'
import { readBody } from '../../../../infra/local/body.ts'
import { close, listen, LOOPBACK } from '../../../../infra/local/ports.ts'

/** The fate of a call. CUT_BEFORE: it never arrives. CUT_AFTER: it arrives, and its answer is lost. */
type CallFate = 'TAKEN' | 'THROTTLED' | 'CUT_BEFORE' | 'CUT_AFTER' | 'DENIED'
/** The fate of a record of a call. REFUSED: the answer says so. DROPPED: it is acknowledged, and never arrives. */
type RecordFate = 'TAKEN' | 'REFUSED' | 'DROPPED'

export interface FirehoseStandIn {
  readonly endpoint: string
  /** Number of calls so far, and the largest of them. */
  readonly calls: number
  readonly mostRecords: number
  fateOfCall: () => CallFate
  fateOfRecord: () => RecordFate
  stop(): Promise<void>
}

const input = z.strictObject({
  DeliveryStreamName: z.string().min(1).max(64),
  Records: z.array(z.strictObject({ Data: z.base64() })),
})
const MAX_BODY = 8 * 1024 * 1024

/**
 * Amazon Data Firehose as far as the sink uses it: PutRecordBatch of the JSON 1.1 protocol, with the limits of the service. Each taken record
 * goes to `arrive`. Firehose itself never ran.
 *
 * @source https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
 */
export async function firehoseStandIn(name: string, arrive: (record: Buffer) => void): Promise<FirehoseStandIn> {
  const state = {
    calls: 0,
    mostRecords: 0,
    fateOfCall: (): CallFate => 'TAKEN',
    fateOfRecord: (): RecordFate => 'TAKEN',
  }
  let ids = 0
  const taken = (record: Buffer): object => {
    const fate = state.fateOfRecord()
    if (fate === 'REFUSED') return { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' }
    if (fate === 'TAKEN') arrive(record)
    return { RecordId: `record-${++ids}` }
  }
  const answer = async (request: IncomingMessage): Promise<{ status: number; body: object } | undefined> => {
    state.calls++
    const body = await readBody(request, MAX_BODY)
    const fate = state.fateOfCall()
    if (fate === 'CUT_BEFORE') return undefined
    if (fate === 'THROTTLED') return { status: 503, body: { __type: 'ServiceUnavailableException', message: 'Slow down.' } }
    if (fate === 'DENIED') return { status: 400, body: { __type: 'AccessDeniedException', message: 'No.' } }
    if (request.headers['x-amz-target'] !== 'Firehose_20150804.PutRecordBatch')
      return { status: 400, body: { __type: 'UnknownOperationException' } }
    const { DeliveryStreamName: stream, Records: records } = input.parse(JSON.parse(String(body)))
    if (stream !== name) return { status: 400, body: { __type: 'ResourceNotFoundException', message: 'No such stream.' } }
    const data = records.map(({ Data }) => Buffer.from(Data, 'base64'))
    const isTooLarge = (body?.length ?? 0) > 4 * 1024 * 1024 || data.some(({ length }) => length > 1_024_000 || length === 0)
    if (data.length < 1 || data.length > 500 || isTooLarge)
      return { status: 400, body: { __type: 'InvalidArgumentException', message: 'The request is too large.' } }
    state.mostRecords = Math.max(state.mostRecords, data.length)
    const RequestResponses = data.map(taken)
    const FailedPutCount = RequestResponses.filter((one) => 'ErrorCode' in one).length
    return fate === 'CUT_AFTER' ? undefined : { status: 200, body: { Encrypted: true, FailedPutCount, RequestResponses } }
  }
  const server = createServer((request, response) => {
    void answer(request).then(
      (answered) => {
        if (answered === undefined) response.destroy()
        else
          response.writeHead(answered.status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answered.body))
      },
      () => response.destroy(),
    )
  })
  const port = await listen(server, 0)
  return Object.assign(state, { endpoint: `http://${LOOPBACK}:${port}`, stop: () => close(server) })
}
