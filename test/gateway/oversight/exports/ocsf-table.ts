import type { OcsfAttribute, OcsfSchema } from './ocsf-validator.ts'

// The part of OCSF that the events of an export use. `test/shared/audit-exports.check.ts` compares it with the schema.
//
// Source: https://github.com/ocsf/ocsf-schema

const text: OcsfAttribute = { type: 'string_t' }
const long: OcsfAttribute = { type: 'long_t' }
const integer: OcsfAttribute = { type: 'integer_t' }
const boolean: OcsfAttribute = { type: 'boolean_t' }
const time: OcsfAttribute = { type: 'timestamp_t' }
const required = (attribute: OcsfAttribute): OcsfAttribute => ({ ...attribute, required: true })
const object = (type: string): OcsfAttribute => ({ type })

const NAMED = ['name', 'uid']

export const OCSF_TABLE: OcsfSchema = {
  version: '1.9.0-dev',
  classUid: 6005,
  event: {
    attributes: {
      activity_id: {
        type: 'integer_t',
        required: true,
        sibling: 'activity_name',
        enum: {
          0: 'Unknown',
          1: 'Read',
          2: 'Update',
          3: 'Connect',
          4: 'Query',
          5: 'Write',
          6: 'Create',
          7: 'Delete',
          8: 'List',
          9: 'Encrypt',
          10: 'Decrypt',
          99: 'Other',
        },
      },
      activity_name: text,
      category_uid: required(integer),
      category_name: text,
      class_uid: required(integer),
      class_name: text,
      type_uid: required(long),
      type_name: text,
      time: required(time),
      timezone_offset: integer,
      severity_id: {
        type: 'integer_t',
        required: true,
        sibling: 'severity',
        enum: { 0: 'Unknown', 1: 'Informational', 2: 'Low', 3: 'Medium', 4: 'High', 5: 'Critical', 6: 'Fatal', 99: 'Other' },
      },
      severity: text,
      status_id: { type: 'integer_t', sibling: 'status', enum: { 0: 'Unknown', 1: 'Success', 2: 'Failure', 99: 'Other' } },
      status: text,
      status_code: text,
      metadata: required(object('metadata')),
      actor: required(object('actor')),
      src_endpoint: required(object('network_endpoint')),
      http_request: object('http_request'),
      query_info: object('query_info'),
      database: object('database'),
      databucket: object('databucket'),
      type_id: {
        type: 'integer_t',
        sibling: 'type',
        enum: { 0: 'Unknown', 1: 'Database', 2: 'Databucket', 3: 'Table', 99: 'Other' },
      },
      type: text,
      unmapped: object('object'),
    },
    atLeastOne: ['database', 'databucket', 'table'],
  },
  objects: {
    metadata: {
      attributes: {
        version: required(text),
        product: required(object('product')),
        uid: text,
        event_code: text,
        log_name: text,
        log_provider: text,
        original_time: text,
        tenant_uid: text,
        correlation_uid: text,
        sequence: integer,
      },
    },
    product: { attributes: { name: text, vendor_name: text }, atLeastOne: NAMED },
    actor: {
      attributes: {
        user: object('user'),
        session: object('session'),
        app_uid: text,
        app_name: text,
        authorizations: { type: 'authorization', array: true },
      },
      atLeastOne: ['process', 'user', 'iam_role', 'invoked_by', 'session', 'app_name', 'app_uid'],
    },
    user: {
      attributes: {
        name: { type: 'username_t' },
        uid: text,
        groups: { type: 'group', array: true },
        org: object('organization'),
        has_mfa: boolean,
      },
      atLeastOne: ['account', 'name', 'uid'],
    },
    group: { attributes: { name: text }, atLeastOne: NAMED },
    organization: { attributes: { uid: text }, atLeastOne: NAMED },
    session: { attributes: { uid: text, created_time: time, is_mfa: boolean } },
    authorization: { attributes: { policy: object('policy') } },
    policy: { attributes: { name: text, uid: text }, atLeastOne: ['name', 'type', 'uid'] },
    network_endpoint: {
      attributes: { ip: { type: 'ip_t' }, name: text },
      atLeastOne: ['ip', 'uid', 'name', 'hostname', 'svc_name', 'instance_uid', 'interface_uid', 'interface_name', 'domain'],
    },
    http_request: { attributes: { uid: text, user_agent: text } },
    query_info: { attributes: { query_string: required(text), uid: text, name: text }, atLeastOne: NAMED },
    database: {
      attributes: {
        name: text,
        uid: text,
        type: text,
        type_id: {
          type: 'integer_t',
          required: true,
          sibling: 'type',
          enum: {
            0: 'Unknown',
            1: 'Relational',
            2: 'Network',
            3: 'Object Oriented',
            4: 'Centralized',
            5: 'Operational',
            6: 'NoSQL',
            7: 'Vector',
            8: 'Knowledge Graph',
            99: 'Other',
          },
        },
      },
      atLeastOne: NAMED,
    },
    databucket: {
      attributes: {
        name: text,
        uid: { type: 'resource_uid_t' },
        type: text,
        type_id: {
          type: 'integer_t',
          required: true,
          sibling: 'type',
          enum: { 0: 'Unknown', 1: 'S3', 2: 'Azure Blob', 3: 'GCP Bucket', 99: 'Other' },
        },
      },
      atLeastOne: NAMED,
    },
  },
  types: {
    string_t: { base: 'string_t' },
    username_t: { base: 'string_t' },
    resource_uid_t: { base: 'string_t' },
    // the regular expression of the schema is long; the check over the schema uses it
    ip_t: { base: 'string_t', maxLength: 40 },
    integer_t: { base: 'integer_t' },
    long_t: { base: 'long_t' },
    timestamp_t: { base: 'long_t' },
    boolean_t: { base: 'boolean_t' },
  },
}
