import type { Command } from 'commander'
import * as z from 'zod'
import { type Deliveries, openDeliveries, type OpenReceiver } from '../gateway/deliveries.ts'
import { KeyUnavailable } from '../gateway/model/failures.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import type { Delivery } from '../gateway/oversight/delivery/delivery.ts'
import {
  EventTooLarge,
  PositionBeyondLog,
  PositionUnreadable,
  SinkUnavailable,
} from '../gateway/oversight/delivery/delivery-faults.ts'
import { MalformedSegment, SegmentMissing } from '../gateway/oversight/tables/table-faults.ts'
import { originName } from '../gateway/telemetry/events.ts'
import { projectLock } from '../schema/project.ts'
import { counted } from '../gateway/model/counted.ts'
import { type Choices, unknownText } from './choices.ts'
import { Refused } from './refused.ts'
import { printLine } from './terminal.ts'

export interface DeliverFlags {
  readonly tenant?: TenantId
  readonly receiver?: string
  readonly status?: true
  readonly from?: number
  readonly to?: number
}

const BEHIND = 1
const CANNOT_DELIVER = 2
/** The attempts of a step end after this time. */
const STEP_MS = 60_000
/** Steps that another process overtook, one after the other. */
const MAX_OVERTAKEN = 100

/** Their messages state what to do, and have no value. */
const FAULTS = [
  EventTooLarge,
  KeyUnavailable,
  MalformedSegment,
  PositionBeyondLog,
  PositionUnreadable,
  SegmentMissing,
  SinkUnavailable,
]

/** Sends what is left, or a part again, or prints how far each receiver is: a line for each receiver and tenant. */
export async function deliver(flags: DeliverFlags, command: Command): Promise<void> {
  const { tenant, from, to, status } = flags
  if (from === undefined && to !== undefined) command.error('error: --to needs --from')
  if (from !== undefined && to !== undefined && from >= to) command.error('error: --from is not before --to. Exchange them.')
  if (from !== undefined && tenant === undefined)
    command.error('error: --from needs --tenant: each tenant has positions of its own')
  if (from !== undefined && status === true) command.error('error: choose --status or --from')
  const deliveries = opened(command)
  const receivers = deliveries.receivers.filter(({ receiver }) => flags.receiver === undefined || receiver.name === flags.receiver)
  if (receivers.length === 0) throw new Refused(unknownText(flags.receiver ?? '', receiverChoices(deliveries)))
  if (from !== undefined && receivers.length > 1)
    command.error(`error: --from needs --receiver: ${deliveries.receivers.map(({ receiver }) => receiver.name).join(' or ')}`)
  for (const one of tenant === undefined ? await deliveries.tenants() : [tenant])
    for (const receiver of receivers) await ofTenant(receiver, one, flags, command)
}

const receiverChoices = ({ receivers }: Deliveries): Choices => ({
  noun: 'receiver',
  of: 'PHI_SIEM',
  known: receivers.map(({ receiver }) => receiver.name),
  option: '--receiver',
})

function opened(command: Command): Deliveries {
  if (process.env['PHI_SIEM'] === undefined || process.env['PHI_SIEM'] === '')
    return command.error('error: the log has no receiver. Name one in PHI_SIEM, as docs/siem-delivery.md describes.', {
      exitCode: CANNOT_DELIVER,
    })
  try {
    return openDeliveries(process.env, projectLock())
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    return command.error(`error: ${z.prettifyError(error)}`, { exitCode: CANNOT_DELIVER })
  }
}

async function ofTenant(open: OpenReceiver, tenant: TenantId, flags: DeliverFlags, command: Command): Promise<void> {
  const name = `${open.receiver.name} ${tenant}`
  try {
    const delivery = await open.deliveryOf(tenant)
    if (flags.from !== undefined) {
      const { items, batches } = await delivery.redeliver(flags.from, flags.to, () => Date.now() + STEP_MS)
      printLine(`${name}: sent ${counted(items, 'item')} again, in ${counted(batches, 'batch', 'batches')}`)
      return
    }
    if (flags.status !== true) await deliverAll(delivery)
    const { delivered, sealed, lag } = await delivery.status()
    if (delivered < sealed) process.exitCode = BEHIND
    const behind = delivered < sealed ? `, ${number(lag)} s behind` : ''
    printLine(`${name}: delivered ${number(delivered)} of ${counted(sealed, 'sealed item')}${behind}`)
  } catch (error) {
    if (!FAULTS.some((fault) => error instanceof fault)) throw error
    const cause = error instanceof SinkUnavailable || error instanceof KeyUnavailable ? ` (${originName(error)})` : ''
    command.error(`error: ${name}: ${(error as Error).message}${cause}`, { exitCode: CANNOT_DELIVER })
  }
}

async function deliverAll(delivery: Delivery): Promise<void> {
  for (let overtaken = 0; overtaken < MAX_OVERTAKEN; ) {
    const { step } = await delivery.step(Date.now() + STEP_MS)
    if (step === 'DONE') return
    overtaken = step === 'OVERTAKEN' ? overtaken + 1 : 0
  }
}

const number = (value: number): string => value.toLocaleString('en-US')
