import { buildSchema, isObjectType, printSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import { printPublicSchema } from '../../cli/public-schema.ts'
import { schemaCommand } from '../../cli/schema.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { runCommand } from '../cli/run-command.ts'
import { compile, NOT_PHI, PHI, sdl } from '../directives/clinic-fixture.ts'

const typeDefs = clinicTypeDefs()
const text = printPublicSchema(compilePolicy(typeDefs, { relationships: 'unchecked' }).schema)

describe('the SDL for clients', () => {
  it('parses, and prints the same text again', () => {
    expect(`${printSchema(buildSchema(text))}\n`).toBe(text)
  })

  it('does not reveal any grants', () => {
    expect(text).not.toMatch(/@(?:phi|notPhi|minimumNecessary|record|reads)\b|\bdirective\b/m)
    // a consent names roles, purposes and sensitivities
    const named = [
      'BreakGlassFinding',
      'ConsentEffect',
      'ErasureRefusal',
      'ErasureState',
      'PurposeOfUse',
      'RecordAccessKind',
      'Role',
      'Sensitivity',
    ]
    expect([...text.matchAll(/^enum (\w+)/gm)].map(([, name]) => name).toSorted()).toEqual(named)
    expect(text.replace(/^enum Role \{[^}]*\}/m, '')).not.toMatch(/PHYSICIAN|What no line of a field says/)
  })

  it('describes types and fields', () => {
    const patient = buildSchema(text).getType('Patient')
    expect(patient?.description).toBe('A person who receives care (FHIR R4 Patient).')
    expect(isObjectType(patient) && patient.getFields()['mrn']?.description).toBe('The medical record number')
  })

  it('is equal for any order of the files', () => {
    expect(printPublicSchema(compilePolicy(typeDefs.toReversed(), { relationships: 'unchecked' }).schema)).toBe(text)
  })

  it("keeps a deployment's own enums, inputs and scalars that fields use", () => {
    const { schema } = compile(
      sdl(
        `color: Color ${PHI} at(in: Where): Stamp ${NOT_PHI}`,
        'enum Color { RED } scalar Stamp input Where { zone: Zone } enum Zone { UTC } enum Forgotten { A }',
      ),
    )
    const printed = printPublicSchema(schema)
    expect(printed).toMatch(/enum Color \{[^]*input Where \{[^]*enum Zone \{/)
    expect(printed).toContain('scalar Stamp')
    expect(printed).not.toMatch(/Forgotten|Sensitivity|RoleKind/)
  })
})

describe('phi schema', () => {
  const phi = async (...args: string[]) => await runCommand(schemaCommand(), args)

  it('prints it', async () => {
    expect((await phi('print', '--public')).stdout).toBe(text)
  })

  it('needs --public explicitly', async () => {
    expect(await phi('print')).toMatchObject({ code: 1, stdout: '' })
  })
})
