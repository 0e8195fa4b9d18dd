# Every target sets up .venv if it must.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATASET ?= planted_a2
ROOT ?=
SPEAKERS ?= 20
UTTERANCES ?= {train:40,validation:16,test:20}
SEEDS ?= 1,2
EPOCHS ?= 10
CLIPS ?= 24
OUTPUTS := $(or $(SER_OUTPUTS),outputs)
SWEEP := $(OUTPUTS)/demo/$(DATASET)
PLANTED := $(filter planted_a2,$(DATASET))

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types docs bench

help:  ## what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

install: $(READY)  ## set up .venv with the tested versions

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/ser doctor --fix
	touch $(READY)

demo: $(READY)  ## a sweep, its statistics, explanations and report: make demo [DATASET=emodb ROOT=path]
	$(BIN)/ser train -m dataset=$(DATASET) $(if $(ROOT),dataset.root=$(ROOT)) \
	  $(if $(PLANTED),dataset.speakers=$(SPEAKERS) 'dataset.utterances_per_speaker=$(UTTERANCES)' split=official) \
	  min_speaker_share=0.5 on_bad_audio=skip backbone=egemaps,mel_cnn_small augmentation=none,white_noise seed=$(SEEDS) \
	  trainer.max_epochs=$(EPOCHS) trainer.batch_size=16 hydra/launcher=joblib hydra.launcher.n_jobs=2 \
	  hydra.sweep.dir=$(SWEEP) tracking.experiment=demo
# What the first CNN listens to: the jobs of its backbone come after those of eGeMAPS.
	$(BIN)/ser explain -m run=$(SWEEP)/$$(echo $(SEEDS) | awk -F, '{print 2 * NF}') explainer=gradcam,saliency \
	  cue_link=regions explain_eval=$(if $(PLANTED),planted,fast) explain_eval.clips=$(CLIPS) explain_eval.steps=5 \
	  explain_eval.masks=64 'explain_eval.fills=[noise,mean_spec]' hydra.sweep.dir=$(SWEEP)/why tracking.experiment=demo
	@echo "what the CNN listens to: $$(ls -d $(abspath $(SWEEP))/why/evaluation/*/explanation.html)"
	@echo "report: $(abspath $(SWEEP))/report.html"
	@echo "all runs in MLflow: $(BIN)/ser ui"

test: $(READY)  ## all tests (SER_DATA=folder of corpora for those that need real data)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy on ser/
	$(BIN)/mypy ser

docs: $(READY)  ## the documentation as a site, in site/; a dead link is an error
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # --quiet would silence the warnings that strict counts
	@echo "$(abspath site)/index.html"

bench: $(READY)  ## speed and error rates, side by side with what one would use instead (benchmarks/README.md)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/warm_loso.py
	$(BIN)/python benchmarks/rerun_sweep.py
	$(if $(and $(SER_DATA),$(SER_WEIGHTS)),$(BIN)/python benchmarks/extract.py --every 8)
	$(if $(SER_DATA),$(BIN)/python benchmarks/group_norm_mask.py)
	$(BIN)/python benchmarks/published_anova.py
	$(BIN)/python benchmarks/cue_meters.py
	$(BIN)/python benchmarks/explain.py --repeats 1
	$(BIN)/python benchmarks/probe.py --every 8
	$(BIN)/python benchmarks/glmm_speed.py --repeats 1
	$(BIN)/python benchmarks/type_one_error.py --replications 200 --power 0
