import { isAbsolute } from 'node:path'
import * as z from 'zod'
import type { ExportFormat } from '../exports/export-formats.ts'

/** A delivery is a stream of lines with one object each: CSV has a header, and fits no batch. */
const DELIVERY_FORMATS = ['ocsf', 'fhir', 'ndjson'] as const satisfies readonly ExportFormat[]

const MAX_RECEIVERS = 4

/** The place that gets the batches: an Amazon Data Firehose stream of the account, or a folder of this machine. */
const Sink = z.union([
  z.strictObject({ firehose: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/) }),
  z.strictObject({ folder: z.string().refine((path) => isAbsolute(path)) }),
])

const Receiver = z
  .strictObject({
    /** Names the receiver in events, in batches and in the store of positions. Another name is another receiver. */
    name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
    sink: Sink,
    format: z.enum(DELIVERY_FORMATS).default('ocsf'),
    /** The HMAC key in KMS that digests of ids derive from: its ARN, or its alias. */
    digestKey: z.string().min(1).max(2_048).optional(),
    /** A person states that the receiver is inside the boundary of the deployment: who, and when. */
    insideBoundary: z.strictObject({ confirmedBy: z.string().min(3).max(200), confirmedOn: z.iso.date() }).optional(),
  })
  .refine(({ digestKey, insideBoundary }) => (digestKey === undefined) !== (insideBoundary === undefined), {
    message: 'name either a digestKey or who confirmed that the receiver is insideBoundary',
  })

/** A receiver of the audit log. */
export type Receiver = Readonly<z.infer<typeof Receiver>>

/** The setting `PHI_SIEM`: one receiver or several, each with its own name. */
export const Receivers = z
  .array(Receiver)
  .min(1)
  .max(MAX_RECEIVERS)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, { message: 'two receivers have one name' })
