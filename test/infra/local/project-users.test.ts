import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, validate } from 'graphql'
import { afterAll, describe, expect, it } from 'vitest'
import { projectUsers } from '../../../infra/local/project-users.ts'
import { ProjectRefused } from '../../../schema/project.ts'
import { practice, STARTER } from '../../gateway/admin/practice-policy.ts'
import { auditSchema } from '../../../gateway/audit-schema.ts'
import { asksAuditLog } from '../../../infra/local/audit-endpoint.ts'
import { auditTypeDefs } from '../../../schema/clinic.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-users-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'users.json')
const usersOf = (content: unknown) => {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return projectUsers(file, practice.policy)
}
const USER = { name: 'therapist', tenant: 'practice', role: 'THERAPIST' }

describe('the users of a project', () => {
  it('are those of the file, with an empty description by default', () => {
    const machine = { ...USER, name: 'machine', client: true, description: 'a client' }
    expect(usersOf([USER, machine])).toEqual([{ ...USER, description: '' }, machine])
  })

  it.each<[string, unknown, string | RegExp]>([
    ['the file is no JSON', '[', 'It is not a readable JSON file.'],
    ['there are none', [], /Too small/],
    ['a name has other characters', [{ ...USER, name: 'The Therapist' }], 'Use lower-case letters, digits and hyphens.'],
    ['a tenant has other characters', [{ ...USER, tenant: '../practice' }], 'Use lower-case letters, digits and hyphens.'],
    ['a member is unknown', [{ ...USER, password: 'x' }], /password/],
    ['two have one name', [USER, { ...USER, role: 'RECEPTION' }], 'several users have the name therapist.'],
    [
      'a role is not of the schema',
      [USER, { ...USER, name: 'janitor', role: 'JANITOR' }],
      `the user janitor has the role JANITOR, which the schema does not define. It has ${[...practice.policy.roles.keys()].join(', ')}.`,
    ],
    [
      'a role is one of every object',
      [{ ...USER, role: 'constructor' }],
      /has the role constructor, which the schema does not define/,
    ],
  ])('are refused with the file and the reason if %s', (_, content, message) => {
    expect(() => usersOf(content)).toThrow(ProjectRefused)
    expect(() => usersOf(content)).toThrow(message)
    expect(() => usersOf(content)).toThrow(file)
  })

  it('are refused if the file is missing', () => {
    expect(() => projectUsers(join(folder, 'none.json'), practice.policy)).toThrow('It is not a readable JSON file.')
  })

  it('of the starter have roles of its schema, and queries that are valid', () => {
    const users = projectUsers(join(STARTER, 'local/users.json'), practice.policy)
    expect(users.length).toBeGreaterThan(0)
    const audit = auditSchema(auditTypeDefs(), practice.policy).schema
    for (const { role, query = '' } of users)
      expect(validate(asksAuditLog({ role }) ? audit : practice.schema, parse(query))).toEqual([])
    expect(readFileSync(join(STARTER, 'local/users.json'), 'utf8')).not.toContain('riverside')
  })
})
