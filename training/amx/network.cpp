// The details of a batch of crops and the gradient of every weight, in bfloat16 on matrix tiles.
//
// It computes what Network.details of vs_emtcm/network.py does, crop by crop, each in memory of its own.
// Sums, biases, slopes, the head, the interpolation and the details themselves are float32; features and
// their gradients are bfloat16. Channels are 16 or 32, sub-pixels (scale * scale) at most 16.

#include <omp.h>

#include <memory>

#include "convolution.h"

namespace {

// A valid 5x5 convolution of one float32 plane to 16 channels. The kernel is [tap][step]; `finish(p, a, b)`
// is given the results of pixels p and p + 1.
template <class Finish>
void convolve_plane(const float *x, int pitch, const float *kernel, int step, __m512 bias, int count,
                    Finish finish) {
    __m512 k[25];
    for (int i = 0; i < 25; i++) k[i] = _mm512_loadu_ps(kernel + i * step);
    for (int p = 0; p < count; p += 4) {
        __m512 sums[4] = {bias, bias, bias, bias};
        for (int i = 0; i < 25; i++) {
            const float *at = x + p + i / 5 * pitch + i % 5;
            for (int j = 0; j < 4; j++) sums[j] = _mm512_fmadd_ps(k[i], _mm512_set1_ps(at[j]), sums[j]);
        }
        finish(p, sums[0], sums[1]);
        finish(p + 2, sums[2], sums[3]);
    }
}

inline void add_to(float *sum, __m512 value) {
    _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), value));
}

struct Sizes {
    int channels, stage1, stage2, subpixels, side, crops, threads;

    int side1() const { return side - 4 - 2 * stage1 - 2; }            // side of the first detail
    int side2() const { return side1() - 2 * (stage2 + 1); }           // side of the second detail
    int layers() const { return 1 + stage1 + stage2; }                 // head, body1, fuse, body2
    int fuse() const { return 1 + stage1; }                            // index of the layer "fuse"
    int longest() const { return std::max({stage1, stage2, 2}) + 1; }  // pixels that a skip or kernel reaches
};

class Network {
  public:
    virtual ~Network() = default;
    virtual void forward(const float *weights, const float *low, float *detail1, float *detail2) = 0;
    virtual void backward(const float *gradient1, const float *gradient2, float *gradients) = 0;
};

template <int HALVES>
class NetworkOf final : public Network {
    static constexpr int C = HALVES * LANES;

    // What the forward pass of a layer leaves for the backward pass.
    struct Layer {
        Buffer<bfloat16> values;    // pixel-major
        Buffer<uint16_t> negative;  // signs before the slope: a bit for each channel, a plane for each half
    };

    // What the forward pass of a crop leaves for the backward pass.
    struct Crop {
        Buffer<float> x, detail1;
        std::vector<Layer> layers;
        Buffer<bfloat16> features, refined;  // results of both stages' layers, their skips added
        Buffer<bfloat16> fed_back;           // the first detail as an input of "fuse", 16 channels
    };

    // A gradient of features, pixel-major and as B tiles.
    struct Gradient {
        Buffer<bfloat16> pixels, pairs;
    };

    // What one thread needs in a backward pass.
    struct Workspace {
        Gradient layer[2], detail;
        Buffer<bfloat16> features, refined;  // gradients that a skip passes back to its start
        Buffer<float> fed_back;
        std::vector<float> gradients;  // of all weights, summed over the thread's crops
    };

    // The kernel of a 3x3 convolution as B tiles, for the forward and the backward pass.
    struct Kernel {
        int inputs, outputs;
        size_t offset;
        std::vector<bfloat16> forward, backward;
        float *in(std::vector<float> &weights) const { return &weights[offset]; }
    };

    const Sizes sizes_;
    const int pitch_, front_, total_;
    const size_t plane_;
    const __mmask16 subpixels_;
    std::vector<float> cubic_, weights_;
    // Places of the weights in the vector: head, kernels, biases, slopes, biases of the details.
    std::vector<Kernel> body_;  // the kernel of each layer; the first, the head's, is empty
    Kernel estimate1_, estimate2_, feed_back_;
    size_t biases_, slopes_, detail_biases_, count_;
    std::vector<bfloat16> to_features_;  // B tiles from the first estimate and "fuse" back to the features
    std::vector<Crop> crops_;
    std::vector<Workspace> workspaces_;

  public:
    NetworkOf(const Sizes &sizes, const float *cubic)
        : sizes_(sizes),
          pitch_(sizes.side),
          front_((sizes.longest() * (sizes.side + 1) + 127) / 64 * 64),
          total_(front_ + (sizes.side * sizes.side + sizes.longest() * (sizes.side + 1) + 255) / 64 * 64),
          plane_(static_cast<size_t>(total_) * LANES),
          subpixels_((1u << sizes.subpixels) - 1),
          cubic_(cubic, cubic + 25 * LANES) {
        size_t end = 25 * C;
        auto kernel = [&](int inputs, int outputs) {
            const size_t offset = std::exchange(end, end + static_cast<size_t>(9) * inputs * outputs);
            const auto tiles = [](int k, int n) {
                return static_cast<size_t>(steps_of(k)) * (n / LANES) * TILE;
            };
            return Kernel{inputs, outputs, offset, std::vector<bfloat16>(tiles(inputs, outputs)),
                          std::vector<bfloat16>(tiles(outputs, inputs))};
        };
        body_.push_back({});
        for (int i = 1; i < sizes.layers(); i++) body_.push_back(kernel(C, C));
        feed_back_ = kernel(LANES, C);
        estimate1_ = kernel(C, LANES);
        estimate2_ = kernel(C, LANES);
        biases_ = std::exchange(end, end + static_cast<size_t>(sizes.layers()) * C);
        slopes_ = std::exchange(end, end + static_cast<size_t>(sizes.layers()) * C);
        detail_biases_ = std::exchange(end, end + 2 * LANES);
        count_ = end;
        for (int i = 0; i < sizes.crops; i++) {
            Crop crop{plane<float>(1),    plane<float>(LANES), {},
                      plane<bfloat16>(C), plane<bfloat16>(C),  plane<bfloat16>(LANES)};
            for (int j = 0; j < sizes.layers(); j++)
                crop.layers.push_back(
                    {plane<bfloat16>(C), Buffer<uint16_t>(static_cast<size_t>(total_) * HALVES, front_)});
            crops_.push_back(std::move(crop));
        }
        for (int i = 0; i < sizes.threads; i++)
            workspaces_.push_back({{gradient(C), gradient(C)},
                              gradient(LANES),
                              plane<bfloat16>(C),
                              plane<bfloat16>(C),
                              plane<float>(LANES),
                              std::vector<float>(count_)});
    }

    void forward(const float *weights, const float *low, float *detail1, float *detail2) override {
        take(weights);
        const size_t in = area(sizes_.side), out1 = area(sizes_.side1()) * sizes_.subpixels,
                     out2 = area(sizes_.side2()) * sizes_.subpixels;
#pragma omp parallel for num_threads(sizes_.threads) schedule(static)
        for (int i = 0; i < sizes_.crops; i++) {
            const Tiles tiles;
            forward(crops_[i], low + i * in, detail1 + i * out1, detail2 + i * out2);
        }
    }

    void backward(const float *gradient1, const float *gradient2, float *gradients) override {
        const size_t out1 = area(sizes_.side1()) * sizes_.subpixels,
                     out2 = area(sizes_.side2()) * sizes_.subpixels;
        for (Workspace &work : workspaces_) std::fill(work.gradients.begin(), work.gradients.end(), 0.0f);
#pragma omp parallel for num_threads(sizes_.threads) schedule(static)
        for (int i = 0; i < sizes_.crops; i++) {
            const Tiles tiles;
            backward(crops_[i], workspaces_[omp_get_thread_num()], gradient1 + i * out1,
                     gradient2 + i * out2);
        }
        std::copy(workspaces_[0].gradients.begin(), workspaces_[0].gradients.end(), gradients);
        for (size_t d = 1; d < workspaces_.size(); d++)
            for (size_t i = 0; i < count_; i++) gradients[i] += workspaces_[d].gradients[i];
    }

  private:
    template <class T>
    Buffer<T> plane(int channels) const {
        return Buffer<T>(static_cast<size_t>(total_) * channels, static_cast<size_t>(front_) * channels);
    }
    Gradient gradient(int channels) const {
        return {plane<bfloat16>(channels), Buffer<bfloat16>(static_cast<size_t>(total_) * channels, 0)};
    }
    static size_t area(int side) { return static_cast<size_t>(side) * side; }
    // Number of pixels in `rows` rows, rounded up to whole blocks of 64.
    int pixels(int rows) const { return (rows * pitch_ + 63) / 64 * 64; }
    // Position in a picture of the first pixel inside of a border.
    ptrdiff_t inside(int border) const { return static_cast<ptrdiff_t>(border) * (pitch_ + 1); }

    // Copy all weights and pack the kernels into B tiles.
    void take(const float *weights) {
        weights_.assign(weights, weights + count_);
        auto both = [&](Kernel &k) {
            const float *w = k.in(weights_);
            pack(k.forward.data(), k.inputs, k.outputs, false, [&](int to, int from, int tap) {
                return w[(static_cast<size_t>(tap) * k.inputs + from) * k.outputs + to];
            });
            pack(k.backward.data(), k.outputs, k.inputs, true, [&](int to, int from, int tap) {
                return w[(static_cast<size_t>(tap) * k.inputs + to) * k.outputs + from];
            });
        };
        for (size_t i = 1; i < body_.size(); i++) both(body_[i]);
        both(feed_back_);
        both(estimate1_);
        both(estimate2_);
        to_features_ = estimate1_.backward;
        const std::vector<bfloat16> &fuse = body_[sizes_.fuse()].backward;
        to_features_.insert(to_features_.end(), fuse.begin(), fuse.end());
    }

    // Go through the sums that convolve<OF> gives: `finish(p, half, a, b)` is given pixels p and p + 1.
    template <int OF, class Finish>
    static void each_pair(int p, const float *sums, Finish finish) {
        for (int i = 0; i < 64 / OF; i += 2)
            for (int half = 0; half < OF; half++) {
                const float *at = sums + (i * OF + half) * LANES;
                finish(p + i, half, _mm512_load_ps(at), _mm512_load_ps(at + OF * LANES));
            }
    }

    // Store one half of the channels of two neighbouring pixels.
    static void store_pair(bfloat16 *at, __m512i pair) {
        if constexpr (HALVES == 1) {
            _mm512_storeu_si512(at, pair);
        } else {
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(at), _mm512_castsi512_si256(pair));
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(at + C), _mm512_extracti64x4_epi64(pair, 1));
        }
    }
    static ptrdiff_t place(int p, int half) { return static_cast<ptrdiff_t>(p) * C + half * LANES; }
    __m512 vector(size_t block, int layer, int half) const {
        return _mm512_loadu_ps(&weights_[block + static_cast<size_t>(layer) * C + half * LANES]);
    }
    uint16_t *signs(Layer &layer, int p, int half) const { return layer.negative + (half * total_ + p); }

    // PReLU of 16 channels of pixels p and p + 1; values and signs are kept in the layer.
    void activate(Layer &layer, __m512 slope, int p, int half, __m512 &a, __m512 &b) {
        const __mmask16 na = _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_LT_OQ);
        const __mmask16 nb = _mm512_cmp_ps_mask(b, _mm512_setzero_ps(), _CMP_LT_OQ);
        a = _mm512_mask_mul_ps(a, na, a, slope);
        b = _mm512_mask_mul_ps(b, nb, b, slope);
        store_pair(layer.values + place(p, half), narrow(a, b));
        uint16_t *to = signs(layer, p, half);
        to[0] = na;
        to[1] = nb;
    }

    // Run a layer. If `skip` is not null, it is added to the layer's values, and the sum is stored at `sum`.
    void run_layer(Crop &crop, int index, const std::vector<Step> &steps, const bfloat16 *tiles, int rows,
                   const bfloat16 *skip, bfloat16 *sum) {
        Layer &layer = crop.layers[index];
        convolve<HALVES>(steps, tiles, &weights_[biases_ + static_cast<size_t>(index) * C], pixels(rows),
                         [&](int first, const float *sums) {
                             each_pair<HALVES>(first, sums, [&](int p, int half, __m512 a, __m512 b) {
                                 activate(layer, vector(slopes_, index, half), p, half, a, b);
                                 if (!skip) return;
                                 const bfloat16 *s = skip + place(p, half);
                                 store_pair(sum + place(p, half), narrow(_mm512_add_ps(a, widen(s)),
                                                                         _mm512_add_ps(b, widen(s + C))));
                             });
                         });
    }

    // Run layers `first` to `last`, each on the one before it. `sum` becomes the values of the last one plus
    // `skip`.
    void run_layers(Crop &crop, int first, int last, int &rows, Buffer<bfloat16> &skip,
                    Buffer<bfloat16> &sum) {
        for (int i = first; i <= last; i++) {
            std::vector<Step> steps;
            add_steps(steps, crop.layers[i - 1].values + 0, C, pitch_);
            rows -= 2;
            run_layer(crop, i, steps, body_[i].forward.data(), rows,
                      i == last ? skip + inside(last - first + 1) * C : nullptr, sum + 0);
        }
    }

    void forward(Crop &crop, const float *low, float *detail1, float *detail2) {
        std::copy(low, low + area(sizes_.side), crop.x + 0);
        int rows = sizes_.side - 4;
        for (int half = 0; half < HALVES; half++)
            convolve_plane(crop.x + 0, pitch_, &weights_[half * LANES], C, vector(biases_, 0, half),
                           pixels(rows), [&](int p, __m512 a, __m512 b) {
                               activate(crop.layers[0], vector(slopes_, 0, half), p, half, a, b);
                           });
        run_layers(crop, 1, sizes_.stage1, rows, crop.layers[0].values, crop.features);

        rows -= 2;
        const __m512 bias1 = _mm512_loadu_ps(&weights_[detail_biases_]);
        convolve_plane(crop.x + inside(sizes_.stage1 + 1), pitch_, cubic_.data(), LANES, bias1, pixels(rows),
                       [&](int p, __m512 a, __m512 b) {
                           _mm512_storeu_ps(crop.detail1 + p * LANES, a);
                           _mm512_storeu_ps(crop.detail1 + (p + 1) * LANES, b);
                       });
        std::vector<Step> steps;
        add_steps(steps, crop.features + 0, C, pitch_);
        convolve<1>(steps, estimate1_.forward.data(), nullptr, pixels(rows),
                    [&](int first, const float *sums) {
                        each_pair<1>(first, sums, [&](int p, int, __m512 a, __m512 b) {
                            float *to = crop.detail1 + p * LANES;
                            a = _mm512_add_ps(a, _mm512_loadu_ps(to));
                            b = _mm512_add_ps(b, _mm512_loadu_ps(to + LANES));
                            _mm512_storeu_ps(to, a);
                            _mm512_storeu_ps(to + LANES, b);
                            _mm512_storeu_si512(crop.fed_back + p * LANES, narrow(a, b));
                        });
                    });
        for (int y = 0, side = sizes_.side1(); y < side; y++)
            for (int x = 0; x < side; x++, detail1 += sizes_.subpixels)
                _mm512_mask_storeu_ps(detail1, subpixels_,
                                      _mm512_loadu_ps(crop.detail1 + (y * pitch_ + x) * LANES));

        rows -= 2;
        const int fuse = sizes_.fuse(), last = sizes_.layers() - 1;
        steps.clear();
        add_steps(steps, crop.features + inside(1) * C, C, pitch_);
        add_steps(steps, crop.fed_back + 0, LANES, pitch_);
        std::vector<bfloat16> tiles = body_[fuse].forward;
        tiles.insert(tiles.end(), feed_back_.forward.begin(), feed_back_.forward.end());
        // If "fuse" is the only layer of stage 2, its skip goes around nothing: its values count twice.
        const bool alone = fuse == last;
        run_layer(crop, fuse, steps, tiles.data(), rows, alone ? crop.layers[fuse].values + 0 : nullptr,
                  alone ? crop.refined + 0 : nullptr);
        run_layers(crop, fuse + 1, last, rows, crop.layers[fuse].values, crop.refined);

        rows -= 2;
        steps.clear();
        add_steps(steps, crop.refined + 0, C, pitch_);
        const __m512 bias2 = _mm512_loadu_ps(&weights_[detail_biases_ + LANES]);
        const int side = sizes_.side2();
        const float *base = crop.detail1 + inside(sizes_.stage2 + 1) * LANES;
        convolve<1>(steps, estimate2_.forward.data(), nullptr, pixels(rows),
                    [&](int first, const float *sums) {
                        for (int p = first; p < first + 64; p++, sums += LANES) {
                            const int y = p / pitch_, x = p % pitch_;
                            if (y >= side || x >= side) continue;
                            const __m512 refined =
                                _mm512_add_ps(_mm512_load_ps(sums), _mm512_loadu_ps(base + p * LANES));
                            _mm512_mask_storeu_ps(detail2 + (y * side + x) * sizes_.subpixels, subpixels_,
                                                  _mm512_add_ps(refined, bias2));
                        }
                    });
    }

    // Append the steps of a convolution's backward pass, whose first tap is where the forward pass has its
    // last.
    void add_steps_back(std::vector<Step> &steps, const bfloat16 *gradient, int channels) const {
        add_steps(steps, gradient - inside(2) * channels, channels, pitch_);
    }

    // Compute the gradient of a layer's sums (its values before the slope). The convolution of `steps` gives the
    // gradient of its values. `add`: a skip's part of that gradient, or null. `keep`: where that gradient is
    // kept for a skip, or null.
    void run_layer_back(Crop &crop, Workspace &work, Gradient &result, int index,
                        const std::vector<Step> &steps, const bfloat16 *tiles, int rows, const bfloat16 *add,
                        Buffer<bfloat16> *keep) {
        Layer &layer = crop.layers[index];
        __m512 biases[HALVES] = {}, slopes[HALVES] = {};
        const int count = pixels(rows);
        convolve<HALVES>(steps, tiles, nullptr, count, [&](int first, const float *sums) {
            each_pair<HALVES>(first, sums, [&](int p, int half, __m512 a, __m512 b) {
                const ptrdiff_t at = place(p, half);
                if (add) {
                    a = _mm512_add_ps(a, widen(add + at));
                    b = _mm512_add_ps(b, widen(add + at + C));
                }
                if (keep) store_pair(*keep + at, narrow(a, b));
                const uint16_t *negative = signs(layer, p, half);
                const bfloat16 *values = layer.values + at;
                slopes[half] = _mm512_mask3_fmadd_ps(a, widen(values), slopes[half], negative[0]);
                slopes[half] = _mm512_mask3_fmadd_ps(b, widen(values + C), slopes[half], negative[1]);
                const __m512 slope = vector(slopes_, index, half);
                a = _mm512_mask_mul_ps(a, negative[0], a, slope);
                b = _mm512_mask_mul_ps(b, negative[1], b, slope);
                biases[half] = _mm512_add_ps(biases[half], _mm512_add_ps(a, b));
                const __m512i pair = narrow(a, b);
                store_pair(result.pixels + at, pair);
                _mm512_storeu_si512(result.pairs + (half * plane_ + p * LANES), interleave(pair));
            });
        });
        // What the buffer held before may have been longer.
        result.pixels.zero_from(static_cast<size_t>(count) * C);
        if (keep) keep->zero_from(static_cast<size_t>(count) * C);
        for (int half = 0; half < HALVES; half++) {
            const size_t at = static_cast<size_t>(index) * C + half * LANES;
            add_to(&work.gradients[biases_ + at], biases[half]);
            // A negative value is the slope times the sum, and the slope's gradient is made of sums.
            const __m512 slope = vector(slopes_, index, half);
            const __mmask16 divisible = _mm512_cmp_ps_mask(slope, _mm512_setzero_ps(), _CMP_NEQ_OQ);
            add_to(&work.gradients[slopes_ + at], _mm512_maskz_div_ps(divisible, slopes[half], slope));
        }
    }

    // Go back from layer `last`, whose gradient is `result`, to layer `first - 1`, where the skip began.
    // `skip` is the gradient that it passes back. Returns the gradient of layer `first - 1`.
    Gradient *run_layers_back(Crop &crop, Workspace &work, Gradient *result, int first, int last, int &rows,
                              Buffer<bfloat16> &skip) {
        for (int i = last; i >= first; i--) {
            add_kernel_gradient<HALVES, HALVES>(crop.layers[i - 1].values + 0, pitch_, result->pairs + 0,
                                                plane_, pixels(rows), body_[i].in(work.gradients));
            std::vector<Step> steps;
            add_steps_back(steps, result->pixels + 0, C);
            rows += 2;
            Gradient *next = other(work, result);
            run_layer_back(crop, work, *next, i - 1, steps, body_[i].backward.data(), rows,
                           i == first ? skip + -inside(last - first + 1) * C : nullptr, nullptr);
            result = next;
        }
        return result;
    }
    static Gradient *other(Workspace &work, const Gradient *one) {
        return one == &work.layer[0] ? &work.layer[1] : &work.layer[0];
    }

    // Store the gradient of a detail of side x side pixels and add it to the gradient of the detail's bias.
    // `value(p, y, x)` gives it for the sub-pixels of a pixel.
    template <class Value>
    void start_back(Workspace &work, int side, float *bias, Value value) {
        __m512 sum = _mm512_setzero_ps();
        const int count = pixels(side);
        for (int p = 0; p < count; p += 2) {
            __m512 both[2] = {};
            for (int j = 0; j < 2; j++) {
                const int y = (p + j) / pitch_, x = (p + j) % pitch_;
                if (y < side && x < side) both[j] = value(p + j, y, x);
            }
            sum = _mm512_add_ps(sum, _mm512_add_ps(both[0], both[1]));
            const __m512i pair = narrow(both[0], both[1]);
            _mm512_storeu_si512(work.detail.pixels + p * LANES, pair);
            _mm512_storeu_si512(work.detail.pairs + p * LANES, interleave(pair));
        }
        work.detail.pixels.zero_from(static_cast<size_t>(count) * LANES);
        add_to(bias, sum);
    }

    void backward(Crop &crop, Workspace &work, const float *gradient1, const float *gradient2) {
        std::vector<float> &sums = work.gradients;
        const int side1 = sizes_.side1(), side2 = sizes_.side2(), border = sizes_.stage2 + 1;
        const int fuse = sizes_.fuse(), last = sizes_.layers() - 1;
        auto of_detail2 = [&](int y, int x) {
            return _mm512_maskz_loadu_ps(subpixels_, gradient2 + (y * side2 + x) * sizes_.subpixels);
        };

        start_back(work, side2, &sums[detail_biases_ + LANES],
                   [&](int, int y, int x) { return of_detail2(y, x); });
        int rows = side2;
        add_kernel_gradient<HALVES, 1>(crop.refined + 0, pitch_, work.detail.pairs + 0, plane_, pixels(rows),
                                       estimate2_.in(sums));
        std::vector<Step> steps;
        add_steps_back(steps, work.detail.pixels + 0, LANES);
        std::vector<bfloat16> tiles = estimate2_.backward;
        if (fuse == last) {
            // Its values count twice, see forward().
            add_steps_back(steps, work.detail.pixels + 0, LANES);
            tiles.insert(tiles.end(), estimate2_.backward.begin(), estimate2_.backward.end());
        }
        rows += 2;
        Gradient *result = &work.layer[0];
        run_layer_back(crop, work, *result, last, steps, tiles.data(), rows, nullptr, &work.refined);
        result = run_layers_back(crop, work, result, fuse + 1, last, rows, work.refined);

        add_kernel_gradient<HALVES, HALVES>(crop.features + inside(1) * C, pitch_, result->pairs + 0, plane_,
                                            pixels(rows), body_[fuse].in(sums));
        add_kernel_gradient<1, HALVES>(crop.fed_back + 0, pitch_, result->pairs + 0, plane_, pixels(rows),
                                       feed_back_.in(sums));
        steps.clear();
        add_steps_back(steps, result->pixels + 0, C);
        rows += 2;
        convolve<1>(steps, feed_back_.backward.data(), nullptr, pixels(rows), [&](int p, const float *of) {
            std::copy(of, of + 64 * LANES, work.fed_back + p * LANES);
        });
        start_back(work, side1, &sums[detail_biases_], [&](int p, int y, int x) {
            __m512 value = _mm512_maskz_loadu_ps(subpixels_, gradient1 + (y * side1 + x) * sizes_.subpixels);
            value = _mm512_mask_add_ps(value, subpixels_, value, _mm512_loadu_ps(work.fed_back + p * LANES));
            y -= border;
            x -= border;
            const bool refined = y >= 0 && x >= 0 && y < side2 && x < side2;
            return refined ? _mm512_add_ps(value, of_detail2(y, x)) : value;
        });
        add_kernel_gradient<HALVES, 1>(crop.features + 0, pitch_, work.detail.pairs + 0, plane_,
                                       pixels(side1), estimate1_.in(sums));
        steps.clear();
        add_steps_back(steps, work.detail.pixels + 0, LANES);
        add_steps_back(steps, result->pixels + -inside(1) * C, C);
        rows += 2;
        result = other(work, result);
        run_layer_back(crop, work, *result, sizes_.stage1, steps, to_features_.data(), rows, nullptr,
                       &work.features);
        result = run_layers_back(crop, work, result, 1, sizes_.stage1, rows, work.features);

        for (int half = 0; half < HALVES; half++) {
            __m512 head[25] = {};
            for (int p = 0; p < pixels(rows); p++) {
                const __m512 d = widen(result->pixels + place(p, half));
                for (int i = 0; i < 25; i++)
                    head[i] =
                        _mm512_fmadd_ps(d, _mm512_set1_ps((crop.x + p)[i / 5 * pitch_ + i % 5]), head[i]);
            }
            for (int i = 0; i < 25; i++) add_to(&sums[static_cast<size_t>(i) * C + half * LANES], head[i]);
        }
    }
};

}  // namespace

extern "C" {

// Return whether this processor and this system have matrix tiles.
int emtcm_supported() { return request_tiles(); }

// Make a network for batches of `crops` crops; null if there is not enough memory. `cubic`: the kernels of
// interpolation, [25][16].
void *emtcm_create(int channels, int stage1, int stage2, int subpixels, int side, int crops, int threads,
                   const float *cubic) {
    const Sizes sizes{channels, stage1, stage2, subpixels, side, crops, threads};
    try {
        if (channels == 16) return static_cast<Network *>(new NetworkOf<1>(sizes, cubic));
        if (channels == 32) return static_cast<Network *>(new NetworkOf<2>(sizes, cubic));
    } catch (const std::bad_alloc &) {
    }
    return nullptr;
}

void emtcm_destroy(void *network) { delete static_cast<Network *>(network); }

// Compute the details of a batch. weights: see AmxDetails._packed; low: [crops][side][side]; detail1,
// detail2: [crops][height][width][subpixels].
void emtcm_forward(void *network, const float *weights, const float *low, float *detail1, float *detail2) {
    static_cast<Network *>(network)->forward(weights, low, detail1, detail2);
}

// Compute the gradients of all weights, in the order of `weights`, for the last batch. gradient1, gradient2:
// those of the details.
void emtcm_backward(void *network, const float *gradient1, const float *gradient2, float *gradients) {
    static_cast<Network *>(network)->backward(gradient1, gradient2, gradients);
}
}
