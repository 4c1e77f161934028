import * as z from 'zod'

// The codes of R4 that `@medplum/core` does not check, and the form that the exports give to the elements of a Provenance.

const HL7 = 'http://terminology.hl7.org/CodeSystem/'
/** @source https://hl7.org/fhir/R4/datatypes.html#instant */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/

const concept = <Coding extends z.ZodType>(coding: Coding) => z.strictObject({ coding: z.tuple([coding]) })
const codeOf = (system: string, ...codes: readonly string[]) =>
  z.strictObject({ system: z.literal(system), code: z.enum(codes), display: z.string().optional() })
const identifier = z.strictObject({ system: z.url(), value: z.string().min(1) })
const reference = z.strictObject({ type: z.string().optional(), identifier, display: z.string().optional() })
const someone = z.union([reference, z.strictObject({ display: z.string() })])
const version = reference.extend({
  identifier: identifier.extend({
    system: z.string().regex(/\/record-versions(?:\/digests)?$/),
    value: z.string().regex(/\/_history\/\d+$/),
  }),
})

/** @source https://hl7.org/fhir/R4/provenance.html */
const Provenance = z.strictObject({
  resourceType: z.literal('Provenance'),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  target: z.tuple([
    version.extend({
      extension: z
        .array(z.strictObject({ url: z.string().endsWith('/StructureDefinition/changed-path'), valueString: z.string() }))
        .min(1)
        .optional(),
    }),
  ]),
  occurredDateTime: z.string().regex(INSTANT),
  recorded: z.string().regex(INSTANT),
  policy: z.tuple([z.url()]),
  reason: z
    .tuple([z.union([concept(z.object({ system: z.literal(`${HL7}v3-ActReason`) })), z.object({ text: z.string() })])])
    .optional(),
  activity: concept(codeOf(`${HL7}v3-DataOperation`, 'CREATE', 'UPDATE', 'DELETE')),
  agent: z
    .array(
      z.strictObject({
        type: concept(
          z.union([
            codeOf(`${HL7}provenance-participant-type`, 'author', 'enterer', 'custodian'),
            codeOf('http://dicom.nema.org/resources/ontology/DCM', '110150'),
          ]),
        ),
        role: z.array(z.object({})).min(1).optional(),
        who: someone,
        onBehalfOf: reference.optional(),
      }),
    )
    .min(2)
    .max(3),
  entity: z.tuple([z.strictObject({ role: z.enum(['revision', 'removal']), what: version })]).optional(),
})

export function provenanceFaults(resource: unknown): readonly string[] {
  const { error } = Provenance.safeParse(resource)
  return error === undefined ? [] : error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}
