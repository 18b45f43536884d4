"""OpenSLO v1 documents of our own, from its specification: every kind, every budgeting method."""

from __future__ import annotations

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: grounded
  displayName: Grounded answers
  labels:
    team: [help-desk, search]
    tier: gold
  annotations:
    example.org/owner: ferry-line
spec:
  description: Answers say what the timetable says.
  service: help-desk
  indicator:
    metadata:
      name: groundedness
    spec:
      thresholdMetric:
        metricSource:
          type: aiops-lab
          spec:
            metric: grounded
            range: [0.8, 1]
            filter: language=de
            sampling: 0.1
            judge:
              true_positives: 85
              positives: 100
              true_negatives: 396
              negatives: 400
  timeWindow:
    - duration: 28d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: Good
      op: gte
      value: 0.8
      target: 0.95
  alertPolicies:
    - alertPolicyRef: on-call
    - kind: AlertPolicy
      metadata:
        name: slow-burn
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata:
              name: slow
            spec:
              severity: ticket
              condition:
                kind: burnrate
                op: gt
                threshold: 2
                lookbackWindow: 1d
                alertAfter: 1h
        notificationTargets:
          - kind: AlertNotificationTarget
            metadata:
              name: board
            spec:
              target: slack
"""
ALERTS = """\
apiVersion: openslo/v1
kind: AlertPolicy
metadata:
  name: on-call
spec:
  alertWhenBreaching: true
  alertWhenResolved: false
  alertWhenNoData: true
  conditions:
    - conditionRef: fast-burn
  notificationTargets:
    - targetRef: pager
---
apiVersion: openslo/v1
kind: AlertCondition
metadata:
  name: fast-burn
spec:
  description: A twentieth of the budget in six hours.
  severity: page
  condition:
    kind: burnrate
    op: gte
    threshold: 5.6
    lookbackWindow: 6h
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata:
  name: pager
spec:
  target: pager
  description: Whoever is on call.
"""
REST = """\
- apiVersion: openslo/v1
  kind: Service
  metadata:
    name: help-desk
    displayName: The ferry line's help desk
  spec:
    description: Answers passengers.
- apiVersion: openslo/v1
  kind: DataSource
  metadata:
    name: our-lab
  spec:
    type: aiops-lab
    connectionDetails:
      path: my-lab
- apiVersion: openslo/v1
  kind: SLI
  metadata:
    name: refusals
  spec:
    ratioMetric:
      counter: true
      bad:
        metricSource:
          metricSourceRef: our-lab
          spec:
            metric: refusal
      total:
        metricSource:
          metricSourceRef: our-lab
          spec:
            metric: refusal
"""
SLICED = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: refuses-little
spec:
  service: help-desk
  indicatorRef: refusals
  timeWindow:
    - duration: 1M
      calendar:
        startTime: 2026-01-01 00:00:00
        timeZone: Europe/Berlin
      isRolling: false
  budgetingMethod: Timeslices
  objectives:
    - displayName: inside
      targetPercent: 99.5
      timeSliceTarget: 0.9
      timeSliceWindow: 1h
    - displayName: promised
      target: 0.99
      timeSliceTarget: 0.9
      timeSliceWindow: 60
"""
MEAN = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: fast
spec:
  service: help-desk
  indicator:
    metadata:
      name: latency
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: aiops-lab
            spec: {metric: latency_s, good: "<= 8"}
        total:
          metricSource:
            type: aiops-lab
            spec: {metric: latency_s}
  timeWindow:
    - duration: 1Q
      calendar:
        startTime: 2026-01-01 00:00:00
        timeZone: UTC
  budgetingMethod: RatioTimeslices
  objectives:
    - target: 0.99
      timeSliceWindow: 5m
"""
COMPOSITE = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: good-enough
spec:
  service: help-desk
  timeWindow:
    - duration: 4w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: answers
      indicatorRef: refusals
      target: 0.97
      compositeWeight: 3
    - displayName: kind
      indicator:
        metadata:
          name: tone
        spec:
          thresholdMetric:
            metricSource:
              type: aiops-lab
              spec: {metric: tone}
      op: gt
      value: -0.2
      target: 0.93
"""
RAW = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: supported
spec:
  service: help-desk
  indicator:
    metadata:
      name: support
    spec:
      ratioMetric:
        rawType: failure
        raw:
          metricSource:
            type: aiops-lab
            spec: {metric: unsupported}
  timeWindow:
    - duration: 2w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: 0.98
"""
ALL = "\n---\n".join([SLO, ALERTS, REST, SLICED, MEAN, COMPOSITE, RAW])
FOREIGN = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: front-page
spec:
  service: web
  indicator:
    metadata:
      name: codes
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource: {type: Prometheus, spec: {query: good}}
        total:
          metricSource: {type: Prometheus, spec: {query: all}}
  timeWindow:
    - duration: 28d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: 0.999
"""
LOOSE = """\
apiVersion: openslo/v1
kind: AlertPolicy
metadata:
  name: PolicyOfMine
spec:
  alertWhenBreaching: true
  conditions:
    - conditionRef: somewhere-else
  notificationTargets:
    - targetRef: MailToWhoeverIsOnCall
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: loose
spec:
  service: web
  indicator:
    metadata:
      name: codes
    spec:
      ratioMetric:
        good:
          metricSource:
            type: Any
            spec: # nothing yet
        total:
          metricSource:
            type: Any
            spec: # nothing yet
  timeWindow:
    - duration: 1m
      isRolling: false
      calendar:
        startTime: 2022-01-01 12:00:00
        timeZone: America/New_York
  objectives:
    - displayName: Good
      op: gt
      target: 0.99
  alertPolicies: # none yet
"""
