"""The sections of the settings: every default of the study, its unit behind it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Audio:
    """How a clip is prepared before any feature is taken."""

    sample_rate: int = 16_000  # Hz
    trim: bool = True
    trim_top_db: float = 40.0  # dB below the loudest frame
    trim_frame_length: int = 2048  # samples
    trim_hop_length: int = 512  # samples
    length: float = 0.0  # s; 0 keeps each clip's own length, otherwise centre-pad or crop
    min_length: float = 0.1  # s; a shorter clip is centre-padded with zeros
    max_length: float = 60.0  # s; a longer clip is centre-cropped (and the audit says so)
    channel: str = "mix"  # of several: "mix" (mean) or "first"
    denoise: bool = False  # spectral gating (noisereduce) before anything is cut
    cut: str = ""  # other ways to drop silent ends: "rms" (E000) or "rolling_sum" (E003)
    cut_level: float = 0.001  # frame RMS, or sum of 50 samples, below which an end is dropped
    pad: str = "centre"  # of a clip shorter than ``length``: zeros on both sides ("centre"), at the start or the end
    crop: str = "centre"  # of a longer one: what is kept, the "centre" or the "start"
    scale: str = ""  # after all else: "peak", "min_max" or "z_score" of the clip


@dataclass(frozen=True)
class Frames:
    """The one short-time Fourier transform and what is read from it."""

    n_fft: int = 1024  # samples
    hop_length: int = 256  # samples
    n_mels: int = 64
    n_mfcc: int = 20
    f0_min: float = 60.0  # Hz
    f0_max: float = 500.0  # Hz
    voicing: float = 0.5  # normalised autocorrelation above which a frame counts as voiced
    quiet: float = 40.0  # dB below the loudest frame; a frame this quiet counts as unvoiced


@dataclass(frozen=True)
class Images:
    """Log-mel images."""

    n_mels: int = 128
    n_fft: int = 2048  # samples
    hop_length: int = 512  # samples
    n_frames: int = 128


@dataclass(frozen=True)
class Synthetic:
    """The built-in corpus; its truth is known because it is set here (480 clips as it stands)."""

    n_speakers: int = 8  # odd numbers are women
    n_statements: int = 4  # at most 8
    n_repetitions: int = 2  # takes of the strong clips of every second statement; all else has one take
    sample_rate: int = 16_000  # Hz
    seed: int = 7  # of the generator
    emotion_strength: float = 1.0  # 0: the labels mean nothing, for anybody
    speaker_confound: float = 1.0  # how far each speaker's own way of acting strays from the common one
    sentence_confound: float = 0.5  # how far an emotion's cues differ between sentences
    noise: float = 1.0  # how much two takes of the same thing differ


@dataclass(frozen=True)
class Models:
    """Hyperparameters and the values searched; the choice is made by inner folds of each outer fold's training part."""

    logistic_c: tuple[float, ...] = (0.01, 0.1, 1.0)
    svm_c: tuple[float, ...] = (0.0001, 0.001, 0.01, 0.1)
    logistic_c_fixed: float = 0.01  # where nothing may be chosen (the ladder, two-speaker corpora alone)
    svm_c_fixed: float = 5.0  # over the number of columns
    forest_trees: int = 100
    boosting_rounds: int = 60
    boosting_leaves: int = 15
    boosting_rate: float = 0.1
    boosting_bins: int = 63  # of each column; LightGBM's own 255 take twice the time and score no better
    class_weight: str = ""  # "" or "balanced"
    ridge_alpha: tuple[float, ...] = (10.0, 100.0, 1000.0)
    rbf_c: tuple[float, ...] = (1.0, 10.0)
    rbf_gamma: tuple[float, ...] = (0.1, 0.3, 1.0)  # over the number of columns, which are scaled
    covariance_shrinkage: tuple[float, ...] = (0.1, 0.4, 0.8)  # towards a multiple of the identity
    class_priors: tuple[str, ...] = ("counts", "equal")  # of the classes: shares of the training clips, or all alike
    joint_weights: tuple[float, ...] = (1.0, 0.3, 0.1, 3.0)  # of another corpus beside the own training clips' 1
    lda_shrinkage: tuple[str, ...] = ("0.1", "auto", "0.3")  # after PCA and in bags: a share, or Ledoit and Wolf's
    pca_components: int = 300  # before the LDA of wide features
    qda_shrinkage: tuple[float, ...] = (0.3, 0.6, 0.9)
    bayes_smoothing: tuple[float, ...] = (1e-9, 0.01, 0.1)  # of the largest variance
    knn_neighbours: tuple[int, ...] = (1, 5, 15, 31)
    mlp_units: int = 256
    mlp_alpha: tuple[float, ...] = (0.1, 1.0, 10.0)
    mlp_iterations: int = 200
    tree_leaf: tuple[int, ...] = (2, 5, 15)  # fewest clips in a leaf of a single tree
    adaboost_depth: tuple[int, ...] = (1, 2, 4)
    bagging_members: int = 10
    stack_c: float = 0.01  # of the logistic regression over members' log-probabilities
    tree_cap: int = 500  # trees of the baselines' models that were published with thousands


@dataclass(frozen=True)
class Evaluation:
    """Intervals and tests."""

    level: float = 0.95
    n_bootstrap: int = 10_000
    n_permutations: int = 10_000
    calibration_bins: int = 10


@dataclass(frozen=True)
class Benchmark:
    """Feature × model, on random folds and on speaker folds."""

    features: tuple[str, ...] = ("means184", "summary", "egemaps")
    wide_features: tuple[str, ...] = ("summary+egemaps",)  # linear models only
    large_features: tuple[str, ...] = ("compare", "summary+egemaps+compare")  # linear models only
    large_corpora: tuple[str, ...] = ("ravdess-speech", "emodb")  # on these selections only
    encoders: tuple[str, ...] = ("campplus", "moonshine", "campplus+moonshine")  # linear models only
    joint_features: tuple[str, ...] = ("campplus+moonshine", "egemaps")  # also with other corpora in training
    models: tuple[str, ...] = ("dummy", "logistic", "linear_svm", "lda", "forest", "lightgbm")
    wide_models: tuple[str, ...] = ("logistic", "linear_svm", "lda")  # of large features and encoders
    protocols: tuple[str, ...] = (  # of the table of one system of each kind on every protocol (chapter 06b)
        *("random", "sentence_independent", "speaker_independent", "speaker_and_sentence", "cross_corpus"),
    )
    times: bool = True  # twenty classical models with their seconds, on one selection
    one_out: bool = True  # the best systems also with one speaker left out at a time (chapter 06b)


@dataclass(frozen=True)
class Ladder:
    """From the leakiest split to the strictest: one system in detail, others beside it; nothing is chosen, so a step is
    the split's alone."""

    feature: str = "summary"
    model: str = "lda"
    systems: tuple[str, ...] = (  # feature/model; after @: on these selections only, after @-: on all others
        "means184/logistic",
        "compare/linear_svm@ravdess-speech+emodb",
        "egemaps/linear_svm@-ravdess-speech+emodb",
        "summary/lightgbm",
        "log_mel/cnn@ravdess-speech+emodb+synthetic",
        "campplus/lda",
    )
    built_in: bool = True  # the systems also on the built-in corpus, whose truth is known, where it is not studied
    draws: int = 5  # of equal training size
    system_draws: int = 5  # the same of the other systems that are linear; trees and networks are drawn once
    curve_speakers: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    augmented: tuple[str, ...] = ()  # selections also augmented before the split; all where it names none studied


@dataclass(frozen=True)
class Controls:
    """Chapter 03b: what there is to score where labels, markers or weights mean nothing."""

    shuffles: int = 100  # repeats with labels permuted within speakers; 0: none
    global_shuffles: int = 20  # and with labels permuted over all clips
    network_shuffles: int = 0  # of the first of ``networks.by_speaker``, on the smallest selection
    shuffled_clips: int = 1500  # a selection, at most
    protocols: tuple[str, ...] = (  # that may not rise above chance
        *("random", "take_disjoint", "sentence_independent", "speaker_independent", "speaker_and_sentence"),
    )
    markers_everywhere: bool = True  # planted in every selection; else in one
    marker_clips: int = 1500  # a selection, at most
    marker_draws: int = 6  # of noise and markers
    encoder_clips: int = 600  # a selection, at most; the same for published and for random weights
    random_weights: int = 3  # draws of each network, at most three; 0: published weights only
    simulations: int = 4000  # corpora per number of speakers


@dataclass(frozen=True)
class Ablations:
    """Which tables of chapter 04b a run holds; all but the nested searches are decided on validation rows."""

    descriptions: bool = True  # every feature set under one model
    signal: bool = True  # ways to prepare a clip
    augmentation: bool = True
    channels: bool = True  # speech and song of RAVDESS, each from the other
    selection: bool = True  # dropping the least important features
    automl: bool = True  # E004's comparison of models
    searches: bool = True  # published searches of seconds to minutes
    long_searches: bool = False  # those of hours
    nested: bool = True  # searches inside every outer fold


@dataclass(frozen=True)
class Networks:
    """Chapter 05."""

    extra: bool = True  # networks of ours beside the baselines'
    by_speaker: tuple[str, ...] = ("log_mel/cnn_lstm_000",)  # feature/network trained from scratch on new speakers


@dataclass(frozen=True)
class Run:
    """How to run; part of no fingerprint and of no folder name."""

    jobs: int = 0  # worker processes; 0: one a core
    cluster: str = ""  # address of a Dask scheduler
    force: bool = False  # compute again what is stored
    started: float = 0.0  # s since 1970; with force, what is older is computed again (0: now)
    published: tuple[str, ...] = ()  # features of a published run that stands in for the audio; empty: there is audio


@dataclass(frozen=True)
class Training:
    """Networks; their published sizes and rates are in ``models``."""

    seeds: int = 1  # training seeds a network is fitted with; classical rows of the baselines have five
    patience: int = 5  # epochs without a better validation loss after which training ends; best weights are kept
    max_epochs: int = 0  # 0: each network's own limit
    validation_share: float = 0.1  # of the training clips, watched where a split has no validation rows
    deterministic: bool = True  # repeatable to 1e-4; slower on a GPU


@dataclass(frozen=True)
class Finetuning:
    """CAM++ trained on: a head on the frozen network, its last block with it, then all of it (three values each)."""

    folds: int = 1  # folds trained, 0: none; the others are for a GPU
    rates: tuple[float, ...] = (1e-3, 1e-4, 3e-5)  # learning rates (Adam)
    epochs: tuple[int, ...] = (40, 8, 4)  # at most; 0 skips a stage
    batch: int = 16  # clips a step, once the network itself learns; they need about 0.1 GB each
    dropout: float = 0.5  # before the last layer
    variants: tuple[int, ...] = (1, 2)  # augmented copies of the training clips: noise, speed
    time_masks: int = 2
    time_width: int = 30  # frames at most (0.3 s)
    band_masks: int = 2
    band_width: int = 10  # of 80 bands at most


@dataclass(frozen=True)
class JointFinetuning:
    """CAM++ trained on all corpora at once; rates, batch, dropout and masks are ``Finetuning``'s."""

    folds: int = 6  # parts of the speakers of all corpora, a training each; RAVDESS has published ones for six
    block: str = "block2"  # of CAM++, pooled; or "block3"
    pooling: str = "statistics"  # over time; or "attention", where frames count as much as they deserve
    power: float = 0.5  # share of a corpus in an epoch ∝ its clips to this power; 1: as they are, 0: all alike
    shortest: float = 1.5  # s; training clips are cropped at random to between this and their three seconds
    clips: int = 4_000  # an epoch, at most; of the block it takes two minutes on two cores. 0: every training clip
    variants: tuple[int, ...] = ()  # augmented copies, as of ``Finetuning``; each is as much work before training
    train: bool = False  # train folds that are missing; otherwise only those that are finished are shown
    epochs: tuple[int, ...] = (30, 8, 0)  # at most, of each stage; an epoch of all layers takes a quarter of an hour


@dataclass(frozen=True)
class Tuning:
    """Searches with Optuna."""

    trials: int = 12
    startup: int = 4  # trials before anything is pruned
    inner_folds: int = 4  # of the training part, by which hyperparameters are chosen
    storage: str = ""  # URL shared by several machines; empty: a file below data/derived
    beat: int = 10  # s between the signs of life of a trial, where the storage is shared by URL
    silence: int = 60  # s without one after which a trial is given up and its place is free again
    max_iter: int = 500  # iterations of searched linear models and MLPs; published with up to 10,000


@dataclass(frozen=True)
class Baselines:
    """The five student projects, rebuilt."""

    training_seeds: int = 5  # of classical models; networks take training.seeds
    fresh_splits: int = 20  # random splits beside the published list
    inner_folds: int = 3  # cross-validation inside the training part, by which our system is named
    systems: tuple[str, ...] = ()  # which of E000 … E004; empty: all
    honest_networks: bool = False  # their networks on new speakers too, one training a fold
    gaps: bool = True  # their models on the rows that they were fitted on


@dataclass(frozen=True)
class Testing:
    """Chapter 07: what a finished system is tested for."""

    timed_models: tuple[str, ...] = ("logistic", "lda", "linear_svm", "lightgbm", "mlp")  # on hand-crafted features
    timed_clips: int = 20  # timed one by one; the median counts
    vote_models: tuple[str, ...] = ("lda", "logistic")  # trained on listeners' votes, on hand-crafted features
    transfer_features: tuple[str, ...] = ("campplus+moonshine",)  # also tuned on one corpus and tested on the others
    permutations: int = 10  # of each family of features, whose cost in UAR is averaged
    occluded: int = 60  # test clips a selection of which parts of the spectrum are hidden from the encoder, at most
    clips: int = 240  # test clips a selection that are degraded, at most; classes and speakers in turn
    conditions: tuple[str, ...] = ()  # degradations, "white" at all levels or "white:10" at one; empty: all
    augmented: bool = True  # also the hand-crafted features with augmented copies in training
